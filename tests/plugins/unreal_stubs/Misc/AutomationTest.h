// Stand-in for automation tests.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/write-cplusplus-tests-in-unreal-engine
#pragma once

#include "CoreMinimal.h"

enum class EAutomationTestFlags : uint32
{
	EditorContext = 1,
	ClientContext = 2,
	ProductFilter = 4
};

constexpr EAutomationTestFlags operator|(EAutomationTestFlags A, EAutomationTestFlags B)
{
	return static_cast<EAutomationTestFlags>(static_cast<uint32>(A) | static_cast<uint32>(B));
}

class FAutomationTestBase
{
public:
	FAutomationTestBase()
	{
		StandInTests().Add(this);
	}
	virtual ~FAutomationTestBase() = default;
	void AddError(const FString& Error)
	{
		StandInErrors.Add(Error);
	}
	void AddInfo(const FString& /*Info*/)
	{
	}
	bool TestTrue(const TCHAR* What, bool Value)
	{
		return TestTrue(FString(What), Value);
	}
	bool TestTrue(const FString& What, bool Value)
	{
		if (!Value)
		{
			AddError(What);
		}
		return Value;
	}
	bool TestFalse(const TCHAR* What, bool Value)
	{
		return TestTrue(What, !Value);
	}
	bool TestEqual(const TCHAR* What, const FString& Actual, const FString& Expected)
	{
		return TestTrue(What, Actual == Expected);
	}
	bool TestEqual(const TCHAR* What, int32 Actual, int32 Expected)
	{
		return TestTrue(What, Actual == Expected);
	}
	bool TestEqual(const TCHAR* What, double Actual, double Expected, double Tolerance = 1e-4)
	{
		return TestTrue(What, std::abs(Actual - Expected) <= Tolerance);
	}
	bool TestEqual(const TCHAR* What, const FVector& Actual, const FVector& Expected, float Tolerance = 1e-4f)
	{
		return TestTrue(What, Actual.Equals(Expected, Tolerance));
	}

	/** All tests that there are. */
	static TArray<FAutomationTestBase*>& StandInTests()
	{
		static TArray<FAutomationTestBase*> Tests;
		return Tests;
	}
	bool StandInRun()
	{
		StandInErrors.Empty();
		return RunTest(FString()) && StandInErrors.IsEmpty();
	}
	TArray<FString> StandInErrors;

protected:
	virtual bool RunTest(const FString& Parameters) = 0;
};

#define IMPLEMENT_SIMPLE_AUTOMATION_TEST(TestClass, PrettyName, Flags) \
	class TestClass : public FAutomationTestBase \
	{ \
	protected: \
		virtual bool RunTest(const FString& Parameters) override; \
	}; \
	static_assert(static_cast<uint32>(Flags) != 0 && sizeof(PrettyName) > 1); \
	static TestClass StandIn##TestClass;
