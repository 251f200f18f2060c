// Stand-in for FName.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/fname-in-unreal-engine
#pragma once

#include "Containers/UnrealString.h"

class FName
{
public:
	FName() = default;
	FName(const TCHAR* InName)
		: Name(InName)
	{
	}
	FString ToString() const
	{
		return Name;
	}
	friend bool operator==(const FName& Left, const FName& Right) = default;

private:
	FString Name;
};
