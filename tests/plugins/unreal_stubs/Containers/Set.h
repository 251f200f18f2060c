// Stand-in for TSet.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/set-containers-in-unreal-engine
#pragma once

#include "Containers/Array.h"

template <typename ElementType>
class TSet
{
public:
	int32 Num() const
	{
		return Elements.Num();
	}
	void Add(const ElementType& Element)
	{
		Elements.AddUnique(Element);
	}
	int32 Remove(const ElementType& Element)
	{
		return Elements.Remove(Element);
	}
	bool Contains(const ElementType& Element) const
	{
		return Elements.Contains(Element);
	}
	void Empty(int32 Slack = 0)
	{
		Elements.Empty(Slack);
	}
	TSet Intersect(const TSet& Other) const
	{
		TSet Result;
		for (const ElementType& Element : Elements)
		{
			if (Other.Contains(Element))
			{
				Result.Add(Element);
			}
		}
		return Result;
	}
	const ElementType* begin() const
	{
		return Elements.begin();
	}
	const ElementType* end() const
	{
		return Elements.end();
	}

private:
	TArray<ElementType> Elements;
};
