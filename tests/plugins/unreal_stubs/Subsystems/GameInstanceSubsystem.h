// Stand-in for UGameInstanceSubsystem.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/programming-subsystems-in-unreal-engine
#pragma once

#include "UObject/Object.h"

class FSubsystemCollectionBase
{
};

class USubsystem : public UObject
{
public:
	virtual bool ShouldCreateSubsystem(UObject* /*Outer*/) const
	{
		return true;
	}
	virtual void Initialize(FSubsystemCollectionBase& /*Collection*/)
	{
	}
	virtual void Deinitialize()
	{
	}
};

class UGameInstanceSubsystem : public USubsystem
{
};
