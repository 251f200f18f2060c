// SPDX-License-Identifier: Apache-2.0

#include "PoseBridgeSettings.h"

FName UPoseBridgeSettings::GetCategoryName() const
{
	return FName(TEXT("Plugins"));
}
