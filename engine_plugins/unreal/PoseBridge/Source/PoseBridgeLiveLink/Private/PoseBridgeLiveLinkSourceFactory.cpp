// SPDX-License-Identifier: Apache-2.0

#include "PoseBridgeLiveLinkSourceFactory.h"

#include "PoseBridgeLiveLinkSource.h"

#define LOCTEXT_NAMESPACE "PoseBridgeLiveLink"

FText UPoseBridgeLiveLinkSourceFactory::GetSourceDisplayName() const
{
	return LOCTEXT("DisplayName", "PoseBridge");
}

FText UPoseBridgeLiveLinkSourceFactory::GetSourceTooltip() const
{
	return LOCTEXT("Tooltip", "Avatars of the running game, now and in each of their possible futures");
}

UPoseBridgeLiveLinkSourceFactory::EMenuType UPoseBridgeLiveLinkSourceFactory::GetMenuType() const
{
	return EMenuType::MenuEntry;
}

TSharedPtr<ILiveLinkSource> UPoseBridgeLiveLinkSourceFactory::CreateSource(const FString& /*ConnectionString*/) const
{
	return MakeShared<FPoseBridgeLiveLinkSource>();
}

#undef LOCTEXT_NAMESPACE
