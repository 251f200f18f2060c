// Stand-in for FText and LOCTEXT.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/text-localization-in-unreal-engine
#pragma once

#include "Containers/UnrealString.h"

class FText
{
public:
	static FText FromString(const FString& Text)
	{
		FText Result;
		Result.Text = Text;
		return Result;
	}
	const FString& ToString() const
	{
		return Text;
	}

private:
	FString Text;
};

#define NSLOCTEXT(Namespace, Key, Text) FText::FromString(FString(TEXT(Text)))
#define LOCTEXT(Key, Text) NSLOCTEXT(LOCTEXT_NAMESPACE, Key, Text)
