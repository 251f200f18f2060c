// Stand-in for TArray.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/array-containers-in-unreal-engine
#pragma once

#include "CoreTypes.h"

#include <algorithm>
#include <initializer_list>
#include <utility>
#include <vector>

template <typename ElementType>
class TArray
{
public:
	TArray() = default;
	TArray(std::initializer_list<ElementType> InElements)
		: Elements(InElements)
	{
	}

	int32 Num() const
	{
		return static_cast<int32>(Elements.size());
	}
	bool IsEmpty() const
	{
		return Elements.empty();
	}
	int32 Add(const ElementType& Element)
	{
		Elements.push_back(Element);
		return Num() - 1;
	}
	int32 Add(ElementType&& Element)
	{
		Elements.push_back(std::move(Element));
		return Num() - 1;
	}
	int32 AddUnique(const ElementType& Element)
	{
		const auto Found = std::find(Elements.begin(), Elements.end(), Element);
		return Found == Elements.end() ? Add(Element) : static_cast<int32>(Found - Elements.begin());
	}
	ElementType& AddDefaulted_GetRef()
	{
		return Elements.emplace_back();
	}
	int32 Remove(const ElementType& Element)
	{
		return static_cast<int32>(std::erase(Elements, Element));
	}
	bool Contains(const ElementType& Element) const
	{
		return std::find(Elements.begin(), Elements.end(), Element) != Elements.end();
	}
	void Init(const ElementType& Element, int32 Number)
	{
		Elements.assign(static_cast<SIZE_T>(Number), Element);
	}
	void Empty(int32 /*Slack*/ = 0)
	{
		Elements = {};
	}
	void Reset(int32 NewSize = 0)
	{
		Elements.clear();
		Elements.reserve(static_cast<SIZE_T>(NewSize));
	}
	void SetNum(int32 NewNum)
	{
		Elements.resize(static_cast<SIZE_T>(NewNum));
	}
	void SetNumUninitialized(int32 NewNum)
	{
		SetNum(NewNum);
	}
	ElementType* GetData()
	{
		return Elements.data();
	}
	const ElementType* GetData() const
	{
		return Elements.data();
	}
	ElementType& operator[](int32 Index)
	{
		return Elements.at(static_cast<SIZE_T>(Index));
	}
	const ElementType& operator[](int32 Index) const
	{
		return Elements.at(static_cast<SIZE_T>(Index));
	}
	ElementType* begin()
	{
		return GetData();
	}
	ElementType* end()
	{
		return GetData() + Num();
	}
	const ElementType* begin() const
	{
		return GetData();
	}
	const ElementType* end() const
	{
		return GetData() + Num();
	}

private:
	std::vector<ElementType> Elements;
};

/** What UEngine::GetWorldContexts gives: read like an array. */
template <typename ElementType>
class TIndirectArray
{
public:
	int32 Num() const
	{
		return StandInElements.Num();
	}
	const ElementType& operator[](int32 Index) const
	{
		return StandInElements[Index];
	}
	const ElementType* begin() const
	{
		return StandInElements.begin();
	}
	const ElementType* end() const
	{
		return StandInElements.end();
	}

	TArray<ElementType> StandInElements;
};
