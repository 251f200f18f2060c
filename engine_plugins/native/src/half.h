// IEEE 754 half precision to single.
#pragma once

#include <cstddef>
#include <cstdint>

namespace posebridge {

// `count` little-endian half precision numbers, exactly.
void halves_to_floats(const std::uint8_t* in, float* out, std::size_t count);

}  // namespace posebridge
