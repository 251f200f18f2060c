// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

namespace PoseBridgeCore
{
/** What is wrong with which field, and what would be right. */
struct FProblem
{
	std::string Field;
	std::string Problem;
	std::string Expected;

	bool IsSet() const
	{
		return !Problem.empty();
	}

	/** "landmarks: 12 positions were given; expected: 33". */
	std::string Text() const
	{
		std::string Line = Field.empty() ? Problem : Field + ": " + Problem;
		if (!Expected.empty())
		{
			Line += "; expected: " + Expected;
		}
		return Line;
	}
};
} // namespace PoseBridgeCore
