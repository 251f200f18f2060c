// Stand-in for FPlatformProcess.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/Core/GenericPlatform/FGenericPlatformProcess
#pragma once

#include "Containers/UnrealString.h"

#include <dlfcn.h>

struct FPlatformProcess
{
	static void* GetDllHandle(const TCHAR* FileName)
	{
		return dlopen(TCHAR_TO_UTF8(FileName), RTLD_NOW | RTLD_LOCAL);
	}
	static void FreeDllHandle(void* DllHandle)
	{
		dlclose(DllHandle);
	}
	static void* GetDllExport(void* DllHandle, const TCHAR* ProcName)
	{
		return dlsym(DllHandle, TCHAR_TO_UTF8(ProcName));
	}
	static void PushDllDirectory(const TCHAR* /*Directory*/)
	{
	}
	static void PopDllDirectory(const TCHAR* /*Directory*/)
	{
	}
	static const TCHAR* BaseDir()
	{
		return TEXT("/nowhere");
	}
};
