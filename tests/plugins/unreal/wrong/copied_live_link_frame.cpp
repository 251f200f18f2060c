// must mention: FLiveLinkFrameDataStruct
#include "ILiveLinkClient.h"
#include "PoseBridgeLiveLinkSource.h"

void Wrong(ILiveLinkClient& Client, const FLiveLinkSubjectKey& Key, FLiveLinkFrameDataStruct& Data)
{
	Client.PushSubjectFrameData_AnyThread(Key, Data);
}
