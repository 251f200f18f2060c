// The plugin's engine-free side with the real library and, where an address is given, a real server:
// POSEBRIDGE_TEST_LIBRARY is the file of the library, POSEBRIDGE_TEST_ENDPOINT the server's ZeroMQ address.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#define DOCTEST_CONFIG_NO_EXCEPTIONS_BUT_WITH_ALL_ASSERTS
#include <doctest/doctest.h>

#include "Core/PoseBridgeClient.h"
#include "Core/PoseBridgeDemoBody.h"
#include "Core/PoseBridgeForecastView.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <string>
#include <thread>

using namespace PoseBridgeCore;

namespace
{
const FLibraryApi& Library()
{
	static const FLibraryApi Api = []
	{
		const char* Path = std::getenv("POSEBRIDGE_TEST_LIBRARY");
		void* Handle = Path == nullptr ? nullptr : dlopen(Path, RTLD_NOW | RTLD_LOCAL);
		if (Handle == nullptr)
		{
			std::fprintf(stderr, "POSEBRIDGE_TEST_LIBRARY: %s\n", Path == nullptr ? "not set" : dlerror());
			std::exit(2);
		}
		FLibraryApi Loaded;
		const FProblem Problem = LoadLibraryApi(Loaded,
			[Handle](const char* Name)
			{
				return dlsym(Handle, Name);
			});
		if (Problem.IsSet())
		{
			std::fprintf(stderr, "%s\n", Problem.Text().c_str());
			std::exit(2);
		}
		return Loaded;
	}();
	return Api;
}

std::unique_ptr<FClient> MakeClient(const std::string& Endpoint)
{
	FClientOptions Options;
	Options.Endpoint = Endpoint;
	Options.ClientName = "unreal";
	FProblem Problem;
	std::unique_ptr<FClient> Client = FClient::Create(Library(), Options, Problem);
	INFO(Problem.Text());
	REQUIRE(Client != nullptr);
	return Client;
}

void CheckPoint(FPoint Actual, FPoint Expected)
{
	CHECK(Actual.X == doctest::Approx(Expected.X).epsilon(1e-3));
	CHECK(Actual.Y == doctest::Approx(Expected.Y).epsilon(1e-3));
	CHECK(Actual.Z == doctest::Approx(Expected.Z).epsilon(1e-3));
}

template <typename ConditionType>
bool WaitUntil(ConditionType Holds)
{
	const auto End = std::chrono::steady_clock::now() + std::chrono::seconds(20);
	while (!Holds())
	{
		if (std::chrono::steady_clock::now() > End)
		{
			return false;
		}
		std::this_thread::sleep_for(std::chrono::milliseconds(5));
	}
	return true;
}
} // namespace

TEST_CASE("library: an endpoint that is none is refused with field, problem and what is right")
{
	FClientOptions Options;
	Options.Endpoint = "not an address";
	FProblem Problem;
	CHECK(FClient::Create(Library(), Options, Problem) == nullptr);
	CHECK_FALSE(Problem.Field.empty());
	CHECK_FALSE(Problem.Problem.empty());
	CHECK_FALSE(Problem.Expected.empty());
}

TEST_CASE("library: a server that is not there blocks nothing, and the client ends at once")
{
	const auto Start = std::chrono::steady_clock::now();
	{
		const std::unique_ptr<FClient> Client = MakeClient("tcp://127.0.0.1:9");
		FProblem Problem;
		REQUIRE(Client->Connect(Problem));
		CHECK(Client->State() == POSEBRIDGE_CONNECTING);
		const std::int32_t Avatar = Client->AddAvatar("player", Problem);
		REQUIRE(Avatar >= 0);
		CHECK(Client->SendFrame(Avatar, false, 0.0, nullptr, Problem));
		FPoseView Pose;
		CHECK_FALSE(Client->PoseAhead(Avatar, 0.1, 0, Pose));
	}
	CHECK(std::chrono::steady_clock::now() - Start < std::chrono::seconds(1));
}

TEST_CASE("library: an avatar whose name is not allowed is refused with the reason")
{
	const std::unique_ptr<FClient> Client = MakeClient("tcp://127.0.0.1:9");
	FProblem Problem;
	CHECK(Client->AddAvatar("player one", Problem) == -1);
	CHECK(Problem.IsSet());
	CHECK_FALSE(Problem.Expected.empty());
}

TEST_CASE("library: joints of the humanoid skeleton come to stand on the landmarks")
{
	std::array<FPoint, 33> Landmarks;
	const std::array<FPoint, 33> Body = DemoBody(0.2);
	for (std::size_t Index = 0; Index < Body.size(); ++Index)
	{
		Landmarks[Index] = UnrealFromMediaPipe(Body[Index]);
	}
	FJointRotations Local;
	FJointPoints Translations;
	REQUIRE(HumanoidTransforms(Library(), Landmarks, Local, Translations));

	// As an engine does it: from the hips outwards, each joint turned and moved relative to its parent.
	const FJointPoints Expected = JointPositions(Landmarks);
	FJointPoints World;
	FJointRotations WorldRotations;
	for (std::size_t Joint = 0; Joint < HumanoidJoints; ++Joint)
	{
		const std::int32_t Parent = Library().joint_parent(static_cast<std::int32_t>(Joint));
		REQUIRE(Parent < static_cast<std::int32_t>(Joint));
		if (Parent < 0)
		{
			World[Joint] = Translations[Joint];
			WorldRotations[Joint] = Local[Joint];
		}
		else
		{
			const posebridge_quaternion P = WorldRotations[static_cast<std::size_t>(Parent)];
			const posebridge_quaternion Q = Local[Joint];
			World[Joint] = World[static_cast<std::size_t>(Parent)] + Rotate(P, Translations[Joint]);
			WorldRotations[Joint] = {P.w * Q.x + P.x * Q.w + P.y * Q.z - P.z * Q.y,
				P.w * Q.y - P.x * Q.z + P.y * Q.w + P.z * Q.x, P.w * Q.z + P.x * Q.y - P.y * Q.x + P.z * Q.w,
				P.w * Q.w - P.x * Q.x - P.y * Q.y - P.z * Q.z};
		}
		CAPTURE(Library().joint_name(static_cast<std::int32_t>(Joint)));
		CheckPoint(World[Joint], Expected[Joint]);
	}
}

TEST_CASE("server: poses go out in MediaPipe's axes and futures come back in Unreal's")
{
	const char* Endpoint = std::getenv("POSEBRIDGE_TEST_ENDPOINT");
	if (Endpoint == nullptr)
	{
		MESSAGE("no POSEBRIDGE_TEST_ENDPOINT: not run");
		return;
	}
	const std::unique_ptr<FClient> Client = MakeClient(Endpoint);
	FProblem Problem;
	REQUIRE(Client->Connect(Problem));
	REQUIRE(WaitUntil(
		[&]
		{
			return Client->State() == POSEBRIDGE_READY;
		}));
	CHECK(Client->Session().protocol_version == POSEBRIDGE_PROTOCOL_VERSION);
	CHECK(Client->Session().server_version[0] != '\0');
	const std::int32_t Avatar = Client->AddAvatar("player", Problem);
	REQUIRE(Avatar >= 0);

	const auto Start = std::chrono::steady_clock::now();
	std::uint64_t Number = 0;
	int Forecasts = 0;
	const bool bEnough = WaitUntil(
		[&]
		{
			const double Seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - Start).count();
			const std::array<FPoint, 33> Body = DemoBody(Seconds);
			FFrameBuilder& Frame = Client->FrameOf(Avatar);
			CHECK_FALSE(Frame.Begin(33, 0).IsSet());
			for (std::size_t Index = 0; Index < Body.size(); ++Index)
			{
				Frame.Set(Index, Body[Index], 1.0f, ELandmarkSpace::MediaPipe);
			}
			CHECK(Client->SendFrame(Avatar, true, 0.0, nullptr, Problem));
			std::this_thread::sleep_for(std::chrono::milliseconds(28));
			Forecasts += Client->TakeNewForecast(Avatar, Number) ? 1 : 0;
			return Forecasts >= 5;
		});
	REQUIRE(bEnough);

	const FForecastLease Lease = Client->BorrowForecast(Avatar);
	REQUIRE(Lease.Get() != nullptr);
	const FForecastView View(*Lease.Get());
	REQUIRE(View.NumFutures() >= 1);
	REQUIRE(View.NumLandmarks() == 33);
	float Sum = 0.0f;
	for (std::uint32_t Future = 0; Future < View.NumFutures(); ++Future)
	{
		Sum += View.Probability(Future);
	}
	CHECK(Sum == doctest::Approx(1.0).epsilon(1e-3));

	FPoseView Pose;
	REQUIRE(Client->PoseAhead(Avatar, 0.1, POSEBRIDGE_MEAN_FUTURE, Pose));
	CHECK(Pose.LandmarkCount == 33);
	for (std::size_t Index = 0; Index < Pose.LandmarkCount; ++Index)
	{
		CHECK(std::isfinite(Pose.Landmark(Index).X));
	}
	// Centimetres, Z up: the nose is about 60 cm above the hips, the ankles about 80 below; the left of who faces
	// the camera is on the right.
	CHECK(Pose.Landmark(0).Z > 20.0f);
	CHECK(Pose.Landmark(0).Z < 120.0f);
	CHECK(Pose.Landmark(27).Z < -20.0f);
	CHECK(Pose.Landmark(23).Y > Pose.Landmark(24).Y);
	CHECK(Client->PoseAhead(Avatar, 0.5, 0, Pose));
	CHECK(Client->Stats().forecasts >= 5);
	Client->Disconnect();
	CHECK(Client->State() == POSEBRIDGE_DISCONNECTED);
}
