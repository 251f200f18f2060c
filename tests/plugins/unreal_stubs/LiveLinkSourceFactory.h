// Stand-in for ULiveLinkSourceFactory.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/LiveLinkInterface/ULiveLinkSourceFactory
#pragma once

#include "ILiveLinkSource.h"
#include "UObject/Object.h"

class ULiveLinkSourceFactory : public UObject
{
public:
	enum class EMenuType
	{
		SubPanel,
		MenuEntry,
		Disabled
	};

	virtual FText GetSourceDisplayName() const
	{
		return FText();
	}
	virtual FText GetSourceTooltip() const
	{
		return FText();
	}
	virtual EMenuType GetMenuType() const
	{
		return EMenuType::SubPanel;
	}
	virtual TSharedPtr<ILiveLinkSource> CreateSource(const FString& /*ConnectionString*/) const
	{
		return nullptr;
	}
};
