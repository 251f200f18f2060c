// Stand-in for USceneComponent and UActorComponent.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/components-in-unreal-engine
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/Engine/Components/UActorComponent
#pragma once

#include "UObject/Object.h"

class AActor;

namespace EEndPlayReason
{
enum Type : int
{
	Destroyed,
	LevelTransition,
	EndPlayInEditor,
	RemovedFromWorld,
	Quit
};
}

enum ELevelTick : int
{
	LEVELTICK_TimeOnly,
	LEVELTICK_ViewportsOnly,
	LEVELTICK_All,
	LEVELTICK_PauseTick
};

struct FActorComponentTickFunction
{
	bool bCanEverTick = false;
	bool bStartWithTickEnabled = true;
};

class UActorComponent : public UObject
{
public:
	virtual void BeginPlay()
	{
	}
	virtual void EndPlay(const EEndPlayReason::Type /*EndPlayReason*/)
	{
	}
	virtual void TickComponent(
		float /*DeltaTime*/, ELevelTick /*TickType*/, FActorComponentTickFunction* /*ThisTickFunction*/)
	{
	}
	AActor* GetOwner() const
	{
		return StandInOwner;
	}
	FActorComponentTickFunction PrimaryComponentTick;
	AActor* StandInOwner = nullptr;
};

class USceneComponent : public UActorComponent
{
public:
	const FTransform& GetComponentTransform() const
	{
		return StandInTransform;
	}

	FTransform StandInTransform;
};
