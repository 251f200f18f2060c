// The parts of the plugin that need no engine: axes, rings, alerts, clocks, frames, forecasts, skeleton, versions,
// client.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#define DOCTEST_CONFIG_NO_EXCEPTIONS_BUT_WITH_ALL_ASSERTS
#include <doctest/doctest.h>

#include "Core/PoseBridgeAlertLog.h"
#include "Core/PoseBridgeAxes.h"
#include "Core/PoseBridgeClient.h"
#include "Core/PoseBridgeDemoBody.h"
#include "Core/PoseBridgeForecastView.h"
#include "Core/PoseBridgeFrame.h"
#include "Core/PoseBridgeFrameClock.h"
#include "Core/PoseBridgeHumanoid.h"
#include "Core/PoseBridgeLibraryApi.h"
#include "Core/PoseBridgeRing.h"
#include "Core/PoseBridgeSkeleton.h"

#include <cmath>
#include <cstring>
#include <deque>
#include <limits>
#include <map>
#include <set>
#include <string>

using namespace PoseBridgeCore;

namespace
{
constexpr float NotANumber = std::numeric_limits<float>::quiet_NaN();

void CheckPoint(FPoint Actual, FPoint Expected)
{
	CHECK(Actual.X == doctest::Approx(Expected.X).epsilon(1e-4));
	CHECK(Actual.Y == doctest::Approx(Expected.Y).epsilon(1e-4));
	CHECK(Actual.Z == doctest::Approx(Expected.Z).epsilon(1e-4));
}

/** A library that does what a test tells it to; the functions of a real one have no state of their own to give. */
struct FFakeLibrary
{
	posebridge_config Config{};
	std::string Endpoint;
	std::string ClientName;
	std::string Token;
	posebridge_error Error{};
	bool bCreateFails = false;
	int Created = 0;
	int Destroyed = 0;
	int Borrowed = 0;
	std::uint64_t NowMicroseconds = 1'000'000;
	std::uint64_t ForecastNumber = 0;
	std::deque<posebridge_alert> Alerts;
	std::uint64_t SentTimestamp = 0;
	bool bSentLandmarks = false;
	float SentFirst[4] = {};
	std::int32_t SendResult = POSEBRIDGE_OK;
	std::uint64_t AskedTime = 0;
	std::int32_t AskedFuture = 0;
	posebridge_forecast Forecast{};
};

FFakeLibrary Fake;

void SetError(posebridge_error& Error, const char* Field, const char* Problem, const char* Expected)
{
	++Error.count;
	Error.code = POSEBRIDGE_ERROR_INVALID_ARGUMENT;
	std::strncpy(Error.field, Field, sizeof(Error.field) - 1);
	std::strncpy(Error.problem, Problem, sizeof(Error.problem) - 1);
	std::strncpy(Error.expected, Expected, sizeof(Error.expected) - 1);
}

posebridge_client* const FakeHandle = reinterpret_cast<posebridge_client*>(std::uintptr_t{16});

FLibraryApi FakeApi()
{
	Fake = {};
	FLibraryApi Api;
	Api.version = []
	{
		return "0.1.0";
	};
	Api.now_us = []
	{
		return Fake.NowMicroseconds;
	};
	Api.default_config = [](posebridge_config* Config) -> std::int32_t
	{
		REQUIRE(Config->size == sizeof(posebridge_config));
		Config->landmarks = 33;
		Config->client_name = "game";
		Config->blend_ms = 100;
		return POSEBRIDGE_OK;
	};
	Api.create = [](const posebridge_config* Config, posebridge_client** Client,
					 posebridge_error* Error) -> std::int32_t
	{
		*Client = nullptr;
		if (Fake.bCreateFails)
		{
			SetError(*Error, "endpoint", "\"localhost\" has no scheme", "for example tcp://127.0.0.1:50552");
			return POSEBRIDGE_INVALID_ARGUMENT;
		}
		Fake.Config = *Config;
		Fake.Endpoint = Config->endpoint;
		Fake.ClientName = Config->client_name;
		Fake.Token = Config->token == nullptr ? "" : Config->token;
		++Fake.Created;
		*Client = FakeHandle;
		return POSEBRIDGE_OK;
	};
	Api.destroy = [](posebridge_client*)
	{
		++Fake.Destroyed;
	};
	Api.connect = [](posebridge_client*) -> std::int32_t
	{
		return POSEBRIDGE_OK;
	};
	Api.disconnect = [](posebridge_client*) -> std::int32_t
	{
		return POSEBRIDGE_OK;
	};
	Api.get_state = [](const posebridge_client*) -> std::int32_t
	{
		return POSEBRIDGE_READY;
	};
	Api.last_error = [](const posebridge_client*, posebridge_error* Error) -> std::int32_t
	{
		if (Fake.Error.count == 0)
		{
			return POSEBRIDGE_EMPTY;
		}
		const std::size_t Size = Error->size;
		*Error = Fake.Error;
		Error->size = Size;
		return POSEBRIDGE_OK;
	};
	Api.add_avatar = [](posebridge_client*, const char* AvatarId) -> std::int32_t
	{
		if (std::strchr(AvatarId, ' ') != nullptr)
		{
			SetError(Fake.Error, "avatar_id", "has a space", "A-Z a-z 0-9 _ . : -");
			return POSEBRIDGE_INVALID_ARGUMENT;
		}
		return 0;
	};
	Api.send_frame = [](posebridge_client*, std::int32_t, std::uint64_t Timestamp, const float* Landmarks,
						 const double*, std::uint64_t*) -> std::int32_t
	{
		Fake.SentTimestamp = Timestamp;
		Fake.bSentLandmarks = Landmarks != nullptr;
		if (Landmarks != nullptr)
		{
			std::memcpy(Fake.SentFirst, Landmarks, sizeof(Fake.SentFirst));
		}
		return Fake.SendResult;
	};
	Api.borrow_forecast = [](posebridge_client*, std::int32_t, const posebridge_forecast** Forecast) -> std::int32_t
	{
		if (Fake.ForecastNumber == 0)
		{
			return POSEBRIDGE_EMPTY;
		}
		++Fake.Borrowed;
		*Forecast = &Fake.Forecast;
		return POSEBRIDGE_OK;
	};
	Api.release_forecast = [](posebridge_client*, std::int32_t, const posebridge_forecast*) -> std::int32_t
	{
		--Fake.Borrowed;
		return POSEBRIDGE_OK;
	};
	Api.forecast_number = [](const posebridge_client*, std::int32_t)
	{
		return Fake.ForecastNumber;
	};
	Api.pose_at = [](posebridge_client*, std::int32_t, std::uint64_t Time, std::int32_t Future,
					  posebridge_pose* Pose) -> std::int32_t
	{
		Fake.AskedTime = Time;
		Fake.AskedFuture = Future;
		Pose->positions[3] = 7.0f;
		Pose->ahead_us = -250'000;
		Pose->probability = 0.5f;
		return POSEBRIDGE_OK;
	};
	Api.poll_alert = [](posebridge_client*, posebridge_alert* Alert) -> std::int32_t
	{
		REQUIRE(Alert->size == sizeof(posebridge_alert));
		if (Fake.Alerts.empty())
		{
			return POSEBRIDGE_EMPTY;
		}
		*Alert = Fake.Alerts.front();
		Fake.Alerts.pop_front();
		return POSEBRIDGE_OK;
	};
	return Api;
}

posebridge_alert AlertChange(const char* Id, std::uint32_t Revision)
{
	posebridge_alert Alert{};
	std::strncpy(Alert.id, Id, sizeof(Alert.id) - 1);
	Alert.revision = Revision;
	return Alert;
}

std::unique_ptr<FClient> ConnectedClient(const FLibraryApi& Api)
{
	FClientOptions Options;
	Options.Endpoint = "tcp://127.0.0.1:50552";
	FProblem Problem;
	std::unique_ptr<FClient> Client = FClient::Create(Api, Options, Problem);
	REQUIRE(Client != nullptr);
	CHECK(Client->AddAvatar("player", Problem) == 0);
	return Client;
}

/** 2 futures, 3 steps 100 ms apart, 2 landmarks; a position tells where it stands: X = 100 k + 10 h + j. */
struct FExampleForecast
{
	float Positions[2 * 3 * 2 * 3];
	float Roots[2 * 3 * 3];
	float Probabilities[2] = {0.75f, 0.25f};
	std::uint32_t ModeIds[2] = {4, 9};
	float Spread[3 * 2] = {1, 2, 3, 4, 5, 6};
	posebridge_forecast Forecast{};

	FExampleForecast()
	{
		for (int Future = 0; Future < 2; ++Future)
		{
			for (int Step = 0; Step < 3; ++Step)
			{
				for (int Landmark = 0; Landmark < 2; ++Landmark)
				{
					float* Point = &Positions[((Future * 3 + Step) * 2 + Landmark) * 3];
					Point[0] = static_cast<float>(100 * Future + 10 * Step + Landmark);
					Point[1] = -1.0f;
					Point[2] = 2.0f;
				}
				float* Root = &Roots[(Future * 3 + Step) * 3];
				Root[0] = 0.0f;
				Root[1] = static_cast<float>(Step);
				Root[2] = static_cast<float>(Future);
			}
		}
		Forecast.size = sizeof(Forecast);
		Forecast.based_on_timestamp_us = 5'000'000;
		Forecast.step_us = 100'000;
		Forecast.futures = 2;
		Forecast.steps = 3;
		Forecast.landmarks = 2;
		Forecast.positions = Positions;
		Forecast.roots = Roots;
		Forecast.probabilities = Probabilities;
		Forecast.mode_ids = ModeIds;
		Forecast.spread = Spread;
	}
};
} // namespace

TEST_CASE("right, up and away from the camera become Unreal's Y, Z and X in centimetres")
{
	CheckPoint(UnrealFromMediaPipe(FPoint{1, 0, 0}), {0, 100, 0});
	CheckPoint(UnrealFromMediaPipe(FPoint{0, -1, 0}), {0, 0, 100});
	CheckPoint(UnrealFromMediaPipe(FPoint{0, 0, 1}), {100, 0, 0});
	CheckPoint(UnrealFromMediaPipe(FPoint{0.25f, 0.5f, -2}), {-200, 25, -50});
	CheckPoint(MediaPipeFromUnreal(UnrealFromMediaPipe(FPoint{0.1f, -0.7f, 0.3f})), {0.1f, -0.7f, 0.3f});
}

TEST_CASE("the change of axes also changes the handedness")
{
	// The three unit axes span +1 in a right-handed system; their images must span -1 (times 100 cubed).
	const FPoint X = UnrealFromMediaPipe(FPoint{1, 0, 0});
	const FPoint Y = UnrealFromMediaPipe(FPoint{0, 1, 0});
	const FPoint Z = UnrealFromMediaPipe(FPoint{0, 0, 1});
	const FPoint Normal = Cross(X, Y);
	CHECK(Normal.X * Z.X + Normal.Y * Z.Y + Normal.Z * Z.Z == doctest::Approx(-1e6));
}

TEST_CASE("a ring keeps the newest, oldest first")
{
	TRing<int, 3> Ring;
	CHECK(Ring.IsEmpty());
	for (int Value = 1; Value <= 5; ++Value)
	{
		Ring.Push(Value);
	}
	REQUIRE(Ring.Num() == 3);
	CHECK(Ring[0] == 3);
	CHECK(Ring[2] == 5);
	CHECK(*Ring.FindNewest(
			  [](int Value)
			  {
				  return Value < 5;
			  }) == 4);
	CHECK(Ring.FindNewest(
			  [](int Value)
			  {
				  return Value == 1;
			  }) == nullptr);
	Ring.Empty();
	CHECK(Ring.Num() == 0);
	Ring.Push(9);
	CHECK(Ring[0] == 9);
}

TEST_CASE("a change of an alert is let through once, and nothing older than what was seen")
{
	FAlertLog Log;
	CHECK(Log.Accept("a", 1));
	CHECK_FALSE(Log.Accept("a", 1));
	CHECK(Log.Accept("b", 1));
	CHECK(Log.Accept("a", 4));
	CHECK_FALSE(Log.Accept("a", 3));
	CHECK(Log.Accept("a", 5));
}

TEST_CASE("the alert log has a limit and forgets the oldest alerts")
{
	FAlertLog Log;
	for (std::size_t Alert = 0; Alert <= FAlertLog::Capacity; ++Alert)
	{
		CHECK(Log.Accept(std::to_string(Alert), 1));
	}
	CHECK_FALSE(Log.Accept("1", 1));
	CHECK(Log.Accept("0", 1));
}

TEST_CASE("seconds become microseconds, and what is no time is refused")
{
	std::uint64_t Microseconds = 0;
	CHECK(MicrosecondsFromSeconds(1.5, Microseconds));
	CHECK(Microseconds == 1'500'000);
	for (const double Bad : {0.0, -1.0, 1e-9, 1e40, std::nan(""), std::numeric_limits<double>::infinity()})
	{
		CHECK_FALSE(MicrosecondsFromSeconds(Bad, Microseconds));
	}
	CHECK(SecondsFromMicroseconds(2'500'000) == doctest::Approx(2.5));
	CHECK(SecondsFromSignedMicroseconds(-2'500'000) == doctest::Approx(-2.5));
}

TEST_CASE("the clock of an avatar's frames goes on between them")
{
	FFrameClock Clock;
	CHECK(Clock.Now(1000) == 1000);
	Clock.Note(50, 1000);
	CHECK(Clock.Now(1000) == 50);
	CHECK(Clock.Now(1200) == 250);
	CHECK(Clock.Now(900) == 50);

	std::uint64_t Time = 0;
	CHECK(Clock.Ahead(1000, 0.5, Time));
	CHECK(Time == 500'050);
	CHECK_FALSE(Clock.Ahead(1000, -1.0, Time));
	CHECK_FALSE(Clock.Ahead(1000, std::nan(""), Time));
	CHECK_FALSE(Clock.Ahead(1000, 1e30, Time));

	// Not even a time since 1970 in microseconds, plus a whole second, is rounded.
	Clock.Note(1'790'000'000'123'457, 1000);
	CHECK(Clock.Ahead(1000, -1.0, Time));
	CHECK(Time == 1'789'999'999'123'457);
}

TEST_CASE("a frame of the wrong size is refused with field, what is wrong and what is right")
{
	const FFrameBuilder Frame(33);
	CHECK_FALSE(Frame.Begin(33, 33).IsSet());
	CHECK_FALSE(Frame.Begin(33, 0).IsSet());
	CHECK(Frame.Begin(12, 0).Text() ==
		"Landmarks: 12 positions were given; expected: 33, one for each landmark of the layout");
	CHECK(Frame.Begin(33, 5).Text() == "Visibility: 5 values were given; expected: 33, one for each landmark, or none");
}

TEST_CASE("a frame is in Unreal's axes, and what cannot be is unseen")
{
	FFrameBuilder Frame(5);
	Frame.Set(0, {1, 2, 3}, 0.5f, ELandmarkSpace::MediaPipe);
	Frame.Set(1, {1, 2, 3}, 2.0f, ELandmarkSpace::Unreal);
	Frame.Set(2, {NotANumber, 0, 0}, 1.0f, ELandmarkSpace::Unreal);
	Frame.Set(3, {1, 2, 3}, NotANumber, ELandmarkSpace::Unreal);
	Frame.Set(4, {1, 2, 3}, -1.0f, ELandmarkSpace::Unreal);
	const float Expected[5][4] = {{300, 100, -200, 0.5f}, {1, 2, 3, 1}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}};
	for (std::size_t Index = 0; Index < 20; ++Index)
	{
		CHECK(Frame.Data()[Index] == doctest::Approx(Expected[Index / 4][Index % 4]));
	}
}

TEST_CASE("a forecast is read by future, step and landmark, and never past its end")
{
	const FExampleForecast Example;
	const FForecastView View(Example.Forecast);
	FPoint Point;
	REQUIRE(View.Position(1, 2, 1, Point));
	CheckPoint(Point, {121, -1, 2});
	REQUIRE(View.Root(1, 2, Point));
	CheckPoint(Point, {0, 2, 1});
	CHECK(View.Probability(0) == 0.75f);
	CHECK(View.ModeId(1) == 9);
	CHECK(View.Spread(2, 1) == 6.0f);
	CHECK(View.StepMicroseconds(0) == 5'100'000);

	CHECK_FALSE(View.Position(2, 0, 0, Point));
	CHECK_FALSE(View.Position(0, 3, 0, Point));
	CHECK_FALSE(View.Position(0, 0, 2, Point));
	CHECK_FALSE(View.Root(0, 3, Point));
	CHECK(View.Probability(2) == 0.0f);
	CHECK(View.Spread(3, 0) == 0.0f);
	CHECK(FForecastView(posebridge_forecast{}).NumFutures() == 0);
}

TEST_CASE("between steps a landmark moves linearly, outside it holds")
{
	FExampleForecast Example;
	const FForecastView View(Example.Forecast);
	FPoint Point;
	const std::map<std::uint64_t, float> Expected = {{0, 0.0f}, {5'100'000, 0.0f}, {5'125'000, 2.5f},
		{5'200'000, 10.0f}, {5'299'999, 19.9999f}, {5'300'000, 20.0f}, {9'000'000, 20.0f}};
	for (const auto& [Time, X] : Expected)
	{
		REQUIRE(View.PositionAt(0, Time, 0, Point));
		CHECK(Point.X == doctest::Approx(X));
	}
	CHECK_FALSE(View.PositionAt(2, 5'100'000, 0, Point));
	Example.Forecast.step_us = 0;
	CHECK_FALSE(View.PositionAt(0, 5'100'000, 0, Point));
}

TEST_CASE("every bone joins two landmarks, and every landmark has one")
{
	std::set<int> Joined;
	for (const FBone& Bone : MediaPipePose33Bones)
	{
		CHECK(Bone.From < MediaPipePose33Landmarks);
		CHECK(Bone.To < MediaPipePose33Landmarks);
		Joined.insert({Bone.From, Bone.To});
	}
	CHECK(Joined.size() == MediaPipePose33Landmarks);
}

TEST_CASE("the demo body keeps its bones' lengths, its hips at the origin and its left on its left")
{
	const auto Length = [](const std::array<FPoint, 33>& Body, std::size_t From, std::size_t To)
	{
		const FPoint Bone = Body[To] - Body[From];
		return std::sqrt(Bone.X * Bone.X + Bone.Y * Bone.Y + Bone.Z * Bone.Z);
	};
	const std::array<FPoint, 33> First = DemoBody(0.0);
	for (double Seconds = 0.0; Seconds < 4.0; Seconds += 0.1)
	{
		const std::array<FPoint, 33> Body = DemoBody(Seconds);
		CheckPoint(Middle(Body[23], Body[24]), {0, 0, 0});
		CHECK(Body[11].X > Body[12].X);
		for (const auto& [From, To] :
			{std::pair<std::size_t, std::size_t>{11, 13}, {23, 25}, {25, 27}, {11, 23}, {13, 15}})
		{
			// A sketch of a body, not an anatomical one: within a tenth or so.
			CHECK(Length(Body, From, To) == doctest::Approx(Length(First, From, To)).epsilon(0.15));
		}
	}
	CHECK(std::abs(DemoBody(0.3)[15].X - First[15].X) > 0.05f);
}

TEST_CASE("a quaternion turns a point")
{
	const float Half = std::sqrt(0.5f);
	// A quarter turn about Z takes X to Y.
	CheckPoint(Rotate({0, 0, Half, Half}, {1, 0, 0}), {0, 1, 0});
	CheckPoint(Rotate(Conjugate({0, 0, Half, Half}), {0, 1, 0}), {1, 0, 0});
	CheckPoint(Rotate({0, 0, 0, 1}, {1, 2, 3}), {1, 2, 3});
}

TEST_CASE("translations bring every joint back to where its landmarks are")
{
	std::array<FPoint, 33> Landmarks;
	for (std::size_t Index = 0; Index < Landmarks.size(); ++Index)
	{
		const float Value = static_cast<float>(Index);
		Landmarks[Index] = {3.0f * std::sin(Value), 50.0f * std::cos(2.0f * Value), 5.0f * Value};
	}
	const FJointPoints Positions = JointPositions(Landmarks);
	CheckPoint(Positions[POSEBRIDGE_JOINT_LEFT_HAND], Landmarks[15]);
	CheckPoint(Positions[POSEBRIDGE_JOINT_RIGHT_FOOT], Landmarks[28]);
	CheckPoint(Positions[POSEBRIDGE_JOINT_HIPS], Middle(Landmarks[23], Landmarks[24]));

	// A chain of any rotations: each joint's world rotation is its parent's times its own.
	const auto Parent = [](int Joint)
	{
		return Joint - 1;
	};
	FJointRotations Global;
	for (std::size_t Joint = 0; Joint < HumanoidJoints; ++Joint)
	{
		const float Angle = 0.3f * static_cast<float>(Joint);
		Global[Joint] = {0.6f * std::sin(Angle), 0.8f * std::sin(Angle), 0.0f, std::cos(Angle)};
	}
	const FJointPoints Local = LocalTranslations(Positions, Global, Parent);
	FPoint World = Local[0];
	for (std::size_t Joint = 1; Joint < HumanoidJoints; ++Joint)
	{
		World = World + Rotate(Global[Joint - 1], Local[Joint]);
		CheckPoint(World, Positions[Joint]);
	}
}

TEST_CASE("a library of another first version is refused, and both versions are named")
{
	CHECK_FALSE(CheckLibraryVersion("0.1.0").IsSet());
	CHECK_FALSE(CheckLibraryVersion("0.99.3").IsSet());
	for (const char* Bad : {"1.0.0", "", "beta", "10.1.0", "0"})
	{
		CHECK(CheckLibraryVersion(Bad).IsSet());
	}
	CHECK(CheckLibraryVersion(nullptr).IsSet());
	const std::string Text = CheckLibraryVersion("1.4.2").Text();
	CHECK(Text.find("1.4.2") != std::string::npos);
	CHECK(Text.find(HeaderVersion()) != std::string::npos);
}

TEST_CASE("a library without a function is refused by the function's name")
{
	static const auto Version = +[]() -> const char*
	{
		return "0.0.9";
	};
	FLibraryApi Api;
	const FProblem NotOurs = LoadLibraryApi(Api,
		[](const char*) -> void*
		{
			return nullptr;
		});
	CHECK(NotOurs.Text().find("posebridge_version") != std::string::npos);
	const FProblem Older = LoadLibraryApi(Api,
		[](const char* Name)
		{
			return std::string(Name) == "posebridge_pose_at" ? nullptr : reinterpret_cast<void*>(Version);
		});
	CHECK(Older.Text().find("posebridge_pose_at") != std::string::npos);
	CHECK(Older.Text().find("0.0.9") != std::string::npos);
	CHECK(Older.Text().find(HeaderVersion()) != std::string::npos);
}

TEST_CASE("options that are set reach the library, the others keep its defaults")
{
	const FLibraryApi Api = FakeApi();
	FClientOptions Options;
	Options.Endpoint = "tcp://10.0.0.1:5";
	Options.ClientName = "arena";
	Options.Futures = 3;
	Options.bWatchMotion = false;
	Options.Token = "secret";
	FProblem Problem;
	{
		const std::unique_ptr<FClient> Client = FClient::Create(Api, Options, Problem);
		REQUIRE(Client != nullptr);
		CHECK(Fake.Endpoint == "tcp://10.0.0.1:5");
		CHECK(Fake.ClientName == "arena");
		CHECK(Fake.Token == "secret");
		CHECK(Fake.Config.futures == 3);
		CHECK(Fake.Config.anomaly == 0);
		CHECK(Fake.Config.blend_ms == 100);
		CHECK(Fake.Config.landmarks == 33);
		CHECK(Fake.Config.axes == POSEBRIDGE_AXES_UNREAL);
		CHECK(Fake.Destroyed == 0);
	}
	CHECK(Fake.Destroyed == 1);
}

TEST_CASE("options that the library refuses give its reason")
{
	const FLibraryApi Api = FakeApi();
	Fake.bCreateFails = true;
	FProblem Problem;
	CHECK(FClient::Create(Api, {}, Problem) == nullptr);
	CHECK(Problem.Text() == "endpoint: \"localhost\" has no scheme; expected: for example tcp://127.0.0.1:50552");
	CHECK(Fake.Created == 0);
}

TEST_CASE("an error is taken once")
{
	const FLibraryApi Api = FakeApi();
	const std::unique_ptr<FClient> Client = ConnectedClient(Api);
	FProblem Problem;
	std::int32_t Code = 0;
	CHECK_FALSE(Client->TakeNewError(Problem, Code));
	SetError(Fake.Error, "token", "is not known", "one that the server has");
	CHECK(Client->TakeNewError(Problem, Code));
	CHECK(Code == POSEBRIDGE_ERROR_INVALID_ARGUMENT);
	CHECK(Problem.Field == "token");
	CHECK_FALSE(Client->TakeNewError(Problem, Code));
}

TEST_CASE("alerts come once each, in order, and no more of them than asked for")
{
	const FLibraryApi Api = FakeApi();
	const std::unique_ptr<FClient> Client = ConnectedClient(Api);
	for (const auto& [Id, Revision] : {std::pair{"a", 1u}, {"a", 1u}, {"b", 1u}, {"a", 2u}, {"b", 1u}, {"c", 1u}})
	{
		Fake.Alerts.push_back(AlertChange(Id, Revision));
	}
	std::vector<std::string> Seen;
	const auto Note = [&Seen](const posebridge_alert& Alert)
	{
		Seen.push_back(Alert.id + std::to_string(Alert.revision));
	};
	Client->PollAlerts(5, Note);
	CHECK(Seen == std::vector<std::string>{"a1", "b1", "a2"});
	Client->PollAlerts(5, Note);
	CHECK(Seen.back() == "c1");
	CHECK(Seen.size() == 4);
}

TEST_CASE("a frame is stamped with its own time or with now")
{
	const FLibraryApi Api = FakeApi();
	const std::unique_ptr<FClient> Client = ConnectedClient(Api);
	FProblem Problem;
	Client->FrameOf(0).Set(0, {1, 2, 3}, 1.0f, ELandmarkSpace::Unreal);
	CHECK(Client->SendFrame(0, true, 0.0, nullptr, Problem));
	CHECK(Fake.SentTimestamp == Fake.NowMicroseconds);
	CHECK(Fake.SentFirst[2] == 3.0f);
	CHECK(Client->SendFrame(0, true, 12.5, nullptr, Problem));
	CHECK(Fake.SentTimestamp == 12'500'000);
	CHECK(Client->SendFrame(0, false, 12.6, nullptr, Problem));
	CHECK_FALSE(Fake.bSentLandmarks);

	CHECK_FALSE(Client->SendFrame(0, true, -3.0, nullptr, Problem));
	CHECK(Problem.Field == "Capture Time");
	Fake.SendResult = POSEBRIDGE_INVALID_ARGUMENT;
	SetError(Fake.Error, "timestamp_us", "is not later than the last one", "a time that rises");
	CHECK_FALSE(Client->SendFrame(0, true, 1.0, nullptr, Problem));
	CHECK(Problem.Field == "timestamp_us");
	// A dropped older frame is not an error of this one.
	Fake.SendResult = POSEBRIDGE_DROPPED_OLDEST;
	CHECK(Client->SendFrame(0, true, 13.0, nullptr, Problem));
}

TEST_CASE("ahead of now counts on the clock of the frames")
{
	const FLibraryApi Api = FakeApi();
	const std::unique_ptr<FClient> Client = ConnectedClient(Api);
	FProblem Problem;
	REQUIRE(Client->SendFrame(0, false, 100.0, nullptr, Problem));
	Fake.NowMicroseconds += 20'000;
	FPoseView Pose;
	CHECK(Client->PoseAhead(0, 0.5, POSEBRIDGE_MEAN_FUTURE, Pose));
	CHECK(Fake.AskedTime == 100'520'000);
	CHECK(Fake.AskedFuture == POSEBRIDGE_MEAN_FUTURE);
	CHECK(Pose.LandmarkCount == 33);
	CHECK(Pose.Landmark(1).X == 7.0f);
	CHECK(Pose.SecondsAhead == doctest::Approx(-0.25));
	CHECK(Client->PoseAt(0, 101.0, 2, Pose));
	CHECK(Fake.AskedTime == 101'000'000);
	CHECK_FALSE(Client->PoseAt(0, -1.0, 0, Pose));
	CHECK_FALSE(Client->PoseAhead(0, std::nan(""), 0, Pose));
}

TEST_CASE("a new forecast is reported once, and what was borrowed is given back")
{
	const FLibraryApi Api = FakeApi();
	const std::unique_ptr<FClient> Client = ConnectedClient(Api);
	std::uint64_t Number = 0;
	CHECK_FALSE(Client->TakeNewForecast(0, Number));
	CHECK(Client->BorrowForecast(0).Get() == nullptr);
	Fake.ForecastNumber = 3;
	CHECK(Client->TakeNewForecast(0, Number));
	CHECK(Number == 3);
	CHECK_FALSE(Client->TakeNewForecast(0, Number));
	{
		FForecastLease Lease = Client->BorrowForecast(0);
		CHECK(Fake.Borrowed == 1);
		const FForecastLease Moved(std::move(Lease));
		CHECK(Lease.Get() == nullptr);
		CHECK(Moved.Get() == &Fake.Forecast);
	}
	CHECK(Fake.Borrowed == 0);
}

TEST_CASE("an avatar whose name is not allowed is refused with the reason")
{
	const FLibraryApi Api = FakeApi();
	const std::unique_ptr<FClient> Client = ConnectedClient(Api);
	FProblem Problem;
	CHECK(Client->AddAvatar("player one", Problem) == -1);
	CHECK(Problem.Text() == "avatar_id: has a space; expected: A-Z a-z 0-9 _ . : -");
}
