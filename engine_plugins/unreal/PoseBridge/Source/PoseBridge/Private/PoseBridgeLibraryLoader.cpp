// SPDX-License-Identifier: Apache-2.0

#include "PoseBridgeLibraryLoader.h"

#include "Core/PoseBridgeLibraryApi.h"
#include "HAL/FileManager.h"
#include "HAL/PlatformProcess.h"
#include "Interfaces/IPluginManager.h"
#include "Misc/Paths.h"
#include "PoseBridgeConvert.h"
#include "PoseBridgeModule.h"

namespace
{
#if PLATFORM_WINDOWS
constexpr const TCHAR* LibraryFileName = TEXT("posebridge.dll");
constexpr const TCHAR* LibraryFolderName = TEXT("Win64");
#elif PLATFORM_MAC
constexpr const TCHAR* LibraryFileName = TEXT("libposebridge.dylib");
constexpr const TCHAR* LibraryFolderName = TEXT("Mac");
#else
constexpr const TCHAR* LibraryFileName = TEXT("libposebridge.so");
constexpr const TCHAR* LibraryFolderName = TEXT("Linux");
#endif

void* LibraryHandle = nullptr;
PoseBridgeCore::FLibraryApi LibraryFunctions;
bool bLibraryIsReady = false;
int32 LibraryConnections = 0;
FString LibraryVersion;
FString LibraryError;

/** Folders that may hold the library, the one of an installed plugin first. */
TArray<FString> FindFolders()
{
	TArray<FString> Folders;
	const TSharedPtr<IPlugin> Plugin = IPluginManager::Get().FindPlugin(TEXT("PoseBridge"));
	if (Plugin.IsValid())
	{
		const FString Base = FPaths::ConvertRelativePathToFull(Plugin->GetBaseDir());
		Folders.Add(FPaths::Combine(Base, TEXT("Binaries/ThirdParty/posebridge"), LibraryFolderName));
		Folders.Add(FPaths::Combine(Base, TEXT("Source/ThirdParty/posebridge/lib"), LibraryFolderName));
	}
	Folders.Add(FPaths::ConvertRelativePathToFull(FPlatformProcess::BaseDir()));
	return Folders;
}

/** The library from the first folder that has it; null, and why in LibraryError, if none has or it does not load. */
void* OpenLibrary()
{
	FString Tried;
	for (const FString& Folder : FindFolders())
	{
		const FString Path = FPaths::Combine(Folder, LibraryFileName);
		Tried += TEXT("\n  ") + Path;
		if (!IFileManager::Get().FileExists(*Path))
		{
			continue;
		}
		FPlatformProcess::PushDllDirectory(*Folder);
		void* Handle = FPlatformProcess::GetDllHandle(*Path);
		FPlatformProcess::PopDllDirectory(*Folder);
		if (Handle == nullptr)
		{
			LibraryError = FString::Printf(
				TEXT("PoseBridge: %s is there but did not load. It may be for another platform, or something that it "
					 "needs ")
					TEXT("may be missing: the ZeroMQ library beside it, or on Windows the Visual C++ redistributable."),
				*Path);
		}
		else
		{
			UE_LOG(LogPoseBridge, Log, TEXT("Loaded %s"), *Path);
		}
		return Handle;
	}
	LibraryError =
		FString::Printf(TEXT("PoseBridge: the library %s was not found, so nothing can connect. Put it into ")
							TEXT("Source/ThirdParty/posebridge/lib/%s of the plugin and build again. Looked for:%s"),
			LibraryFileName, LibraryFolderName, *Tried);
	return nullptr;
}
} // namespace

void FPoseBridgeLibrary::Load()
{
	if (LibraryHandle != nullptr)
	{
		return;
	}
	LibraryError.Empty();
	LibraryHandle = OpenLibrary();
	if (LibraryHandle != nullptr)
	{
		const PoseBridgeCore::FProblem Problem = PoseBridgeCore::LoadLibraryApi(LibraryFunctions,
			[](const char* Name)
			{
				return FPlatformProcess::GetDllExport(LibraryHandle, UTF8_TO_TCHAR(Name));
			});
		bLibraryIsReady = !Problem.IsSet();
		if (bLibraryIsReady)
		{
			LibraryVersion = UTF8_TO_TCHAR(LibraryFunctions.version());
		}
		else
		{
			LibraryError = TEXT("PoseBridge: ") + PoseBridgeConvert::ToText(Problem.Text());
		}
	}
	if (!bLibraryIsReady)
	{
		UE_LOG(LogPoseBridge, Error, TEXT("%s"), *LibraryError);
		Unload();
	}
}

void FPoseBridgeLibrary::Unload()
{
	if (LibraryConnections > 0)
	{
		UE_LOG(
			LogPoseBridge, Warning, TEXT("The library stays loaded: %d connections still use it."), LibraryConnections);
		return;
	}
	bLibraryIsReady = false;
	if (LibraryHandle != nullptr)
	{
		FPlatformProcess::FreeDllHandle(LibraryHandle);
		LibraryHandle = nullptr;
	}
}

const PoseBridgeCore::FLibraryApi* FPoseBridgeLibrary::GetApi()
{
	return bLibraryIsReady ? &LibraryFunctions : nullptr;
}

const FString& FPoseBridgeLibrary::GetVersion()
{
	return LibraryVersion;
}

const FString& FPoseBridgeLibrary::GetError()
{
	return LibraryError;
}

void FPoseBridgeLibrary::AddConnection()
{
	++LibraryConnections;
}

void FPoseBridgeLibrary::RemoveConnection()
{
	--LibraryConnections;
}
