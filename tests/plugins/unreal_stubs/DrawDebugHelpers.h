// Stand-in for the debug drawing functions.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/Engine/DrawDebugLine
#pragma once

#include "CoreMinimal.h"

class UWorld;

#ifndef ENABLE_DRAW_DEBUG
#define ENABLE_DRAW_DEBUG !UE_BUILD_SHIPPING
#endif

/** What was drawn. */
struct FStandInLine
{
	FVector Start;
	FVector End;
	FColor Color;
	float Thickness;
};
inline TArray<FStandInLine> StandInLines;

#if ENABLE_DRAW_DEBUG
inline void DrawDebugLine(const UWorld* /*InWorld*/, const FVector& LineStart, const FVector& LineEnd,
	const FColor& Color, bool /*bPersistentLines*/ = false, float /*LifeTime*/ = -1.0f, uint8 /*DepthPriority*/ = 0,
	float Thickness = 0.0f)
{
	StandInLines.Add({LineStart, LineEnd, Color, Thickness});
}
inline void DrawDebugPoint(const UWorld* /*InWorld*/, const FVector& Position, float Size, const FColor& PointColor,
	bool /*bPersistentLines*/ = false, float /*LifeTime*/ = -1.0f, uint8 /*DepthPriority*/ = 0)
{
	StandInLines.Add({Position, Position, PointColor, Size});
}
#endif
