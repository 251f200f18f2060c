// must mention: CPrintfArgument
#include "PoseBridgeModule.h"

void Wrong(const FString& Name)
{
	UE_LOG(LogPoseBridge, Log, TEXT("Hello %s"), Name);
}
