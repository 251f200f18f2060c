// must mention: FPoseBridgeForecast
#include "PoseBridgeSubsystem.h"

void Wrong(UPoseBridgeSubsystem& Subsystem, const FPoseBridgeForecast& Forecast)
{
	Subsystem.OnAlert.Broadcast(Forecast);
}
