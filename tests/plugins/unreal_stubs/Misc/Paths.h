// Stand-in for FPaths.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/Core/Misc/FPaths
#pragma once

#include "Containers/UnrealString.h"

class FPaths
{
public:
	template <typename... PathTypes>
	static FString Combine(const PathTypes&... Paths)
	{
		FString Result;
		((Result += (Result.IsEmpty() ? FString() : FString(TEXT("/"))) + FString(Paths)), ...);
		return Result;
	}
	static FString ConvertRelativePathToFull(const FString& Path)
	{
		return Path;
	}
};
