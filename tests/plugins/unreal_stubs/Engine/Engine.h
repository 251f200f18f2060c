// Stand-in for UEngine and FWorldContext.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/Engine/Engine/UEngine
#pragma once

#include "UObject/Object.h"

class UGameInstance;

struct FWorldContext
{
	TObjectPtr<UGameInstance> OwningGameInstance;
};

class UEngine : public UObject
{
public:
	void AddOnScreenDebugMessage(
		uint64 /*Key*/, float /*TimeToDisplay*/, FColor /*DisplayColor*/, const FString& DebugMessage)
	{
		StandInOnScreen.Add(DebugMessage);
	}
	void AddOnScreenDebugMessage(
		int32 /*Key*/, float /*TimeToDisplay*/, FColor /*DisplayColor*/, const FString& DebugMessage)
	{
		StandInOnScreen.Add(DebugMessage);
	}
	const TIndirectArray<FWorldContext>& GetWorldContexts() const
	{
		return StandInWorldContexts;
	}

	TArray<FString> StandInOnScreen;
	TIndirectArray<FWorldContext> StandInWorldContexts;
};

inline UEngine* GEngine = nullptr;
