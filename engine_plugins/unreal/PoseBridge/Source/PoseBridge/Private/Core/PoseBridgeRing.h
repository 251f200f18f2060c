// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <array>
#include <cstddef>
#include <utility>

namespace PoseBridgeCore
{
/** The newest Capacity things that were pushed, oldest first; takes no memory after it was made. */
template <typename ElementType, std::size_t Capacity>
class TRing
{
	static_assert(Capacity > 0, "a ring holds at least one element");

public:
	std::size_t Num() const
	{
		return Count;
	}

	bool IsEmpty() const
	{
		return Count == 0;
	}

	/** Add an element; the oldest one is forgotten if the ring is full. */
	ElementType& Push(ElementType Element)
	{
		const std::size_t Place = (First + Count) % Capacity;
		Elements[Place] = std::move(Element);
		if (Count < Capacity)
		{
			++Count;
		}
		else
		{
			First = (First + 1) % Capacity;
		}
		return Elements[Place];
	}

	/** Index 0 is the oldest, Num() - 1 the newest. */
	ElementType& operator[](std::size_t Index)
	{
		return Elements[(First + Index) % Capacity];
	}

	const ElementType& operator[](std::size_t Index) const
	{
		return Elements[(First + Index) % Capacity];
	}

	/** The newest element for which Matches(element) is true, or null. */
	template <typename PredicateType>
	ElementType* FindNewest(PredicateType Matches)
	{
		for (std::size_t Index = Count; Index > 0; --Index)
		{
			ElementType& Element = (*this)[Index - 1];
			if (Matches(Element))
			{
				return &Element;
			}
		}
		return nullptr;
	}

	void Empty()
	{
		First = 0;
		Count = 0;
	}

private:
	std::array<ElementType, Capacity> Elements{};
	std::size_t First = 0;
	std::size_t Count = 0;
};
} // namespace PoseBridgeCore
