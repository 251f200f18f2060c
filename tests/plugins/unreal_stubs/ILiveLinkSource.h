// Stand-in for ILiveLinkSource.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/LiveLinkInterface/ILiveLinkSource
#pragma once

#include "CoreMinimal.h"
#include "Misc/Guid.h"

class ILiveLinkClient;

class ILiveLinkSource
{
public:
	virtual ~ILiveLinkSource() = default;
	virtual void ReceiveClient(ILiveLinkClient* InClient, FGuid InSourceGuid) = 0;
	virtual void Update()
	{
	}
	virtual bool IsSourceStillValid() const = 0;
	virtual bool RequestSourceShutdown() = 0;
	virtual FText GetSourceType() const = 0;
	virtual FText GetSourceMachineName() const = 0;
	virtual FText GetSourceStatus() const = 0;
};
