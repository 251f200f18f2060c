// Stand-in for dynamic multicast delegates.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/dynamic-delegates-in-unreal-engine
#pragma once

#include <functional>
#include <vector>

template <typename... ParameterTypes>
class TStandInDynamicDelegate
{
public:
	void Broadcast(ParameterTypes... Parameters) const
	{
		// A copy: a handler may bind others, or end what holds this.
		for (const std::function<void(ParameterTypes...)>& Handler : std::vector(Handlers))
		{
			Handler(Parameters...);
		}
	}
	bool IsBound() const
	{
		return !Handlers.empty();
	}
	void StandInBind(std::function<void(ParameterTypes...)> Handler)
	{
		Handlers.push_back(std::move(Handler));
	}

private:
	std::vector<std::function<void(ParameterTypes...)>> Handlers;
};

#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(Name, Type1, Name1) \
	class Name : public TStandInDynamicDelegate<Type1> \
	{ \
	}
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(Name, Type1, Name1, Type2, Name2) \
	class Name : public TStandInDynamicDelegate<Type1, Type2> \
	{ \
	}
