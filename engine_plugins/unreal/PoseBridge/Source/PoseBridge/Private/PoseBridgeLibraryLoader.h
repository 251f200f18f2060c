// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "CoreMinimal.h"

namespace PoseBridgeCore
{
struct FLibraryApi;
}

/** The PoseBridge library in this process: loaded once, when the plugin starts. */
class FPoseBridgeLibrary
{
public:
	/** Load the library and check its version; on failure GetError says why. */
	static void Load();

	/** Give the library back, unless a connection still uses it. */
	static void Unload();

	/** Its functions; null if it is not loaded. */
	static const PoseBridgeCore::FLibraryApi* GetApi();

	static const FString& GetVersion();
	static const FString& GetError();

	/** Counts connections: code of the library runs until the last one has ended. */
	static void AddConnection();
	static void RemoveConnection();
};
