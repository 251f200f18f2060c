// Stand-in for FPlatformMisc.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/Core/GenericPlatform/FGenericPlatformMisc
#pragma once

#include "Containers/UnrealString.h"

#include <cstdlib>

struct FPlatformMisc
{
	static FString GetEnvironmentVariable(const TCHAR* VariableName)
	{
		const char* Value = std::getenv(TCHAR_TO_UTF8(VariableName));
		return Value != nullptr ? FString(UTF8_TO_TCHAR(Value)) : FString();
	}
};
