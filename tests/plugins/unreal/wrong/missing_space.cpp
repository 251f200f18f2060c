// must mention: SendLandmarks
#include "PoseBridgeAvatarComponent.h"

bool Wrong(UPoseBridgeAvatarComponent& Avatar, const TArray<FVector>& Landmarks, const TArray<float>& Visibility)
{
	return Avatar.SendLandmarks(Landmarks, Visibility, 0.5);
}
