// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cmath>
#include <cstdint>

namespace PoseBridgeCore
{
inline constexpr double MicrosecondsPerSecond = 1e6;
/** The latest time of capture that the wire takes. */
inline constexpr std::uint64_t MaxTimestampMicroseconds = std::uint64_t{1} << 62;

constexpr double SecondsFromMicroseconds(std::uint64_t Microseconds)
{
	return static_cast<double>(Microseconds) / MicrosecondsPerSecond;
}

constexpr double SecondsFromSignedMicroseconds(std::int64_t Microseconds)
{
	return static_cast<double>(Microseconds) / MicrosecondsPerSecond;
}

/** Rounds to the nearest microsecond. False if the time is not finite, not above 0 or too far in the future. */
inline bool MicrosecondsFromSeconds(double Seconds, std::uint64_t& OutMicroseconds)
{
	const double Microseconds = std::round(Seconds * MicrosecondsPerSecond);
	if (!(Microseconds >= 1.0) || Microseconds > static_cast<double>(MaxTimestampMicroseconds))
	{
		return false;
	}
	OutMicroseconds = static_cast<std::uint64_t>(Microseconds);
	return true;
}

/**
 * What time it is on the clock that one avatar's frames are stamped with. Frames from a camera may be stamped with the
 * camera's clock; "half a second from now" then needs to know how far that clock is from the library's.
 */
class FFrameClock
{
public:
	/** A frame stamped FrameMicroseconds was handed over at NowMicroseconds of the library's clock. */
	void Note(std::uint64_t FrameMicroseconds, std::uint64_t NowMicroseconds)
	{
		LastFrame = FrameMicroseconds;
		LastNow = NowMicroseconds;
	}

	/** Before the first frame both clocks count as the same. */
	std::uint64_t Now(std::uint64_t NowMicroseconds) const
	{
		return NowMicroseconds >= LastNow ? LastFrame + (NowMicroseconds - LastNow) : LastFrame;
	}

	/** The time SecondsAhead from now; false if that is not a time: not finite, or before the clock began. */
	bool Ahead(std::uint64_t NowMicroseconds, double SecondsAhead, std::uint64_t& OutMicroseconds) const
	{
		const std::uint64_t FrameNow = Now(NowMicroseconds);
		const double Offset = std::round(SecondsAhead * MicrosecondsPerSecond);
		if (!std::isfinite(Offset) || std::abs(Offset) > static_cast<double>(MaxTimestampMicroseconds))
		{
			return false;
		}
		// In whole microseconds: a double holds no more than 53 bits of the sum.
		const std::int64_t Whole = static_cast<std::int64_t>(Offset);
		if (Whole < 0 && static_cast<std::uint64_t>(-Whole) >= FrameNow)
		{
			return false;
		}
		OutMicroseconds = FrameNow + static_cast<std::uint64_t>(Whole);
		return true;
	}

private:
	std::uint64_t LastFrame = 0;
	std::uint64_t LastNow = 0;
};
} // namespace PoseBridgeCore
