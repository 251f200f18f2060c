// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "Core/PoseBridgeClient.h"
#include "PoseBridgeLibraryLoader.h"

#include <memory>
#include <utility>

/** One client of the library; while it lives, the library stays loaded. */
struct FPoseBridgeConnection
{
	explicit FPoseBridgeConnection(std::unique_ptr<PoseBridgeCore::FClient> InClient)
		: Client(std::move(InClient))
	{
		FPoseBridgeLibrary::AddConnection();
	}

	~FPoseBridgeConnection()
	{
		Client.reset();
		FPoseBridgeLibrary::RemoveConnection();
	}

	FPoseBridgeConnection(const FPoseBridgeConnection&) = delete;
	FPoseBridgeConnection& operator=(const FPoseBridgeConnection&) = delete;

	/** Never null. */
	std::unique_ptr<PoseBridgeCore::FClient> Client;
};
