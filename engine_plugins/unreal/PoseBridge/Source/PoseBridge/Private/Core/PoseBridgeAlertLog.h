// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "PoseBridgeRing.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace PoseBridgeCore
{
/**
 * Lets every change of an alert through once. After a reconnect the server may send changes again, and an older change
 * may come after a newer one; a change tells all that the earlier ones told, so what is not newer can be left out.
 */
class FAlertLog
{
public:
	/** Alerts that are remembered. A change of one that was forgotten counts as new. */
	static constexpr std::size_t Capacity = 256;

	/** True if this is news: the alert is not known, or only by a smaller revision. */
	bool Accept(std::string_view Id, std::uint32_t Revision)
	{
		FKnown* Known = Alerts.FindNewest(
			[Id](const FKnown& Alert)
			{
				return Alert.Id == Id;
			});
		if (Known == nullptr)
		{
			Alerts.Push({std::string(Id), Revision});
			return true;
		}
		if (Revision <= Known->Revision)
		{
			return false;
		}
		Known->Revision = Revision;
		return true;
	}

	void Empty()
	{
		Alerts.Empty();
	}

private:
	struct FKnown
	{
		std::string Id;
		std::uint32_t Revision = 0;
	};

	TRing<FKnown, Capacity> Alerts;
};
} // namespace PoseBridgeCore
