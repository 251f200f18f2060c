// Stand-in for FString and its conversions.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/fstring-in-unreal-engine
// https://dev.epicgames.com/documentation/en-us/unreal-engine/character-encoding-in-unreal-engine
#pragma once

#include "CoreTypes.h"

#include <string>
#include <type_traits>
#include <vector>

/** What may stand for a %-field: numbers, enums and pointers, but no FString (it needs the *). */
template <typename Type>
concept CPrintfArgument = std::is_arithmetic_v<std::decay_t<Type>> || std::is_enum_v<std::decay_t<Type>> ||
	std::is_pointer_v<std::decay_t<Type>>;

/** Converted text lives until the end of the full expression, as the engine's does. ASCII only. */
template <typename ToType, typename FromType>
class TStandInConversion
{
public:
	explicit TStandInConversion(const FromType* Text)
	{
		for (; *Text != 0; ++Text)
		{
			Converted += static_cast<ToType>(*Text);
		}
	}
	const ToType* Get() const
	{
		return Converted.c_str();
	}

private:
	std::basic_string<ToType> Converted;
};
#define UTF8_TO_TCHAR(Text) (TStandInConversion<TCHAR, ANSICHAR>(Text).Get())
#define TCHAR_TO_UTF8(Text) (TStandInConversion<ANSICHAR, TCHAR>(Text).Get())

template <typename Type>
std::u16string StandInFormat(Type Argument)
{
	if constexpr (std::is_same_v<Type, const TCHAR*> || std::is_same_v<Type, TCHAR*>)
	{
		return Argument;
	}
	else if constexpr (std::is_arithmetic_v<Type>)
	{
		return UTF8_TO_TCHAR(std::to_string(Argument).c_str());
	}
	else
	{
		return u"?";
	}
}

/** Every field is filled in the same way, whatever letter it has. */
inline std::u16string StandInPrintf(const TCHAR* Format, const std::vector<std::u16string>& Arguments)
{
	std::u16string Result;
	SIZE_T Next = 0;
	for (; *Format != 0; ++Format)
	{
		if (*Format != u'%')
		{
			Result += *Format;
			continue;
		}
		++Format;
		Result += *Format == u'%' ? u"%" : Arguments.at(Next++);
	}
	return Result;
}

class FString
{
public:
	FString() = default;
	FString(const TCHAR* Text)
		: Value(Text)
	{
	}
	FString& operator=(const TCHAR* Text)
	{
		Value = Text;
		return *this;
	}

	template <int32 Length, CPrintfArgument... Types>
	static FString Printf(const TCHAR (&Format)[Length], Types... Arguments)
	{
		return FString(StandInPrintf(Format, {StandInFormat(Arguments)...}).c_str());
	}

	const TCHAR* operator*() const
	{
		return Value.c_str();
	}
	bool IsEmpty() const
	{
		return Value.empty();
	}
	int32 Len() const
	{
		return static_cast<int32>(Value.size());
	}
	void Empty()
	{
		Value.clear();
	}
	FString& AppendChar(TCHAR Character)
	{
		Value += Character;
		return *this;
	}
	FString Right(int32 Count) const
	{
		return Count >= Len() ? *this : FString(Value.substr(Value.size() - static_cast<SIZE_T>(Count)).c_str());
	}
	FString& operator+=(const FString& Other)
	{
		Value += Other.Value;
		return *this;
	}
	FString& operator+=(const TCHAR* Other)
	{
		Value += Other;
		return *this;
	}
	const TCHAR* begin() const
	{
		return Value.data();
	}
	const TCHAR* end() const
	{
		return Value.data() + Value.size();
	}
	friend FString operator+(const FString& Left, const FString& Right)
	{
		return FString((Left.Value + Right.Value).c_str());
	}
	friend FString operator+(const TCHAR* Left, const FString& Right)
	{
		return FString((Left + Right.Value).c_str());
	}
	friend FString operator+(const FString& Left, const TCHAR* Right)
	{
		return FString((Left.Value + Right).c_str());
	}
	friend bool operator==(const FString& Left, const FString& Right) = default;

	std::string StandInUtf8() const
	{
		return TCHAR_TO_UTF8(Value.c_str());
	}

private:
	std::u16string Value;
};
