// Stand-in for Core's CoreTypes.h and HAL/Platform.h: numbers and characters.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/epic-cplusplus-coding-standard-for-unreal-engine
// (Portable C++ code)
#pragma once

#include <cstddef>

using int8 = signed char;
using uint8 = unsigned char;
using int16 = short;
using uint16 = unsigned short;
using int32 = int;
using uint32 = unsigned int;
using int64 = long long;
using uint64 = unsigned long long;
using SIZE_T = std::size_t;
using ANSICHAR = char;
using TCHAR = char16_t;

#define TEXT_PASTE(Literal) u##Literal
#define TEXT(Literal) TEXT_PASTE(Literal)
#define UE_ARRAY_COUNT(Array) (sizeof(Array) / sizeof((Array)[0]))

#ifndef PLATFORM_WINDOWS
#define PLATFORM_WINDOWS 0
#endif
#ifndef PLATFORM_MAC
#define PLATFORM_MAC 0
#endif
#ifndef UE_BUILD_SHIPPING
#define UE_BUILD_SHIPPING 0
#endif
#ifndef WITH_DEV_AUTOMATION_TESTS
#define WITH_DEV_AUTOMATION_TESTS !UE_BUILD_SHIPPING
#endif
#define CORE_API
