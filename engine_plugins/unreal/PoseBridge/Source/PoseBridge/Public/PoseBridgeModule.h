// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "CoreMinimal.h"
#include "Logging/LogMacros.h"
#include "Modules/ModuleInterface.h"

POSEBRIDGE_API DECLARE_LOG_CATEGORY_EXTERN(LogPoseBridge, Log, All);

/** Loads the PoseBridge library when the plugin starts and keeps it until the plugin ends. */
class POSEBRIDGE_API FPoseBridgeModule : public IModuleInterface
{
public:
	virtual void StartupModule() override;
	virtual void ShutdownModule() override;

	/** Version of the library, empty if it could not be loaded. */
	static FString GetLibraryVersion();

	/** Why the library could not be loaded, empty if it was. */
	static FString GetLibraryError();
};
