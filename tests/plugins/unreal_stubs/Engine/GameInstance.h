// Stand-in for UGameInstance.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/Engine/Engine/UGameInstance
#pragma once

#include "Subsystems/GameInstanceSubsystem.h"

#include <type_traits>

class UGameInstance : public UObject
{
public:
	template <typename SubsystemType>
	requires std::is_base_of_v<UGameInstanceSubsystem, SubsystemType> SubsystemType* GetSubsystem() const
	{
		return static_cast<SubsystemType*>(StandInSubsystem);
	}

	UGameInstanceSubsystem* StandInSubsystem = nullptr;
};
