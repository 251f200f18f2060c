// Stand-in for UDeveloperSettings.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/DeveloperSettings/Engine/UDeveloperSettings
#pragma once

#include "UObject/Object.h"

class UDeveloperSettings : public UObject
{
public:
	virtual FName GetContainerName() const
	{
		return FName();
	}
	virtual FName GetCategoryName() const
	{
		return FName();
	}
	virtual FName GetSectionName() const
	{
		return FName();
	}
};
