// SPDX-License-Identifier: Apache-2.0

#pragma once

// The C interface. Include it only from here, so that no header of the plugin's users needs it.
#include "posebridge/posebridge.h"
