// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "CoreMinimal.h"
#include "LiveLinkSourceFactory.h"
#include "PoseBridgeLiveLinkSourceFactory.generated.h"

/** The entry "PoseBridge" in the Live Link window's Add Source menu. */
UCLASS()
class POSEBRIDGELIVELINK_API UPoseBridgeLiveLinkSourceFactory : public ULiveLinkSourceFactory
{
	GENERATED_BODY()

public:
	//~ Begin ULiveLinkSourceFactory Interface
	virtual FText GetSourceDisplayName() const override;
	virtual FText GetSourceTooltip() const override;
	virtual EMenuType GetMenuType() const override;
	virtual TSharedPtr<ILiveLinkSource> CreateSource(const FString& ConnectionString) const override;
	//~ End ULiveLinkSourceFactory Interface
};
