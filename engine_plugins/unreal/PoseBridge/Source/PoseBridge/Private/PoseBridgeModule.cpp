// SPDX-License-Identifier: Apache-2.0

#include "PoseBridgeModule.h"

#include "Modules/ModuleManager.h"
#include "PoseBridgeLibraryLoader.h"

DEFINE_LOG_CATEGORY(LogPoseBridge);

void FPoseBridgeModule::StartupModule()
{
	FPoseBridgeLibrary::Load();
}

void FPoseBridgeModule::ShutdownModule()
{
	FPoseBridgeLibrary::Unload();
}

FString FPoseBridgeModule::GetLibraryVersion()
{
	return FPoseBridgeLibrary::GetVersion();
}

FString FPoseBridgeModule::GetLibraryError()
{
	return FPoseBridgeLibrary::GetError();
}

IMPLEMENT_MODULE(FPoseBridgeModule, PoseBridge)
