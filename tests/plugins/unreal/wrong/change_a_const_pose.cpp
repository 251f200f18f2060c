// must mention: const
#include "PoseBridgeAvatarComponent.h"

bool Wrong(UPoseBridgeAvatarComponent& Avatar, const FPoseBridgePose& Pose)
{
	return Avatar.GetPoseAhead(0.5f, 0, Pose);
}
