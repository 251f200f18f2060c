// Stand-in for UWorld.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/Engine/Engine/UWorld
#pragma once

#include "UObject/Object.h"

class UGameInstance;

class UWorld : public UObject
{
public:
	UGameInstance* GetGameInstance() const
	{
		return StandInGameInstance;
	}

	UGameInstance* StandInGameInstance = nullptr;
};
