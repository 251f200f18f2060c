// must mention: uint64_t&
#include "Core/PoseBridgeFrameClock.h"
#include "CoreMinimal.h"

bool Wrong(uint64& OutTime)
{
	return PoseBridgeCore::MicrosecondsFromSeconds(1.0, OutTime);
}
