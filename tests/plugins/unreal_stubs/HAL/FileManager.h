// Stand-in for IFileManager.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/Core/HAL/IFileManager
#pragma once

#include "Containers/UnrealString.h"

#include <cstdio>

class IFileManager
{
public:
	static IFileManager& Get()
	{
		static IFileManager Manager;
		return Manager;
	}
	bool FileExists(const TCHAR* FileName)
	{
		std::FILE* File = std::fopen(TCHAR_TO_UTF8(FileName), "rb");
		return File != nullptr && std::fclose(File) == 0;
	}
};
