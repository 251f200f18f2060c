// must mention: override
#include "PoseBridgeSubsystem.h"

class UWrong : public UPoseBridgeSubsystem
{
public:
	virtual void Tick(double DeltaTime) override;
};
