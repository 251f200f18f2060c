#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "half.h"
#include "posebridge/posebridge.h"

namespace {

constexpr float kPi = 3.14159265F;

struct V {
  float x, y, z;
};

V rotate(const posebridge_quaternion& q, V v) {
  const V u{q.x, q.y, q.z};
  const auto cross = [](V a, V b) { return V{a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x}; };
  const V t = cross(u, v);
  const V tt = cross(u, V{t.x + q.w * v.x, t.y + q.w * v.y, t.z + q.w * v.z});
  return {v.x + 2 * tt.x, v.y + 2 * tt.y, v.z + 2 * tt.z};
}

void check_near(V a, V b) {
  CHECK(a.x == doctest::Approx(b.x).epsilon(0.001));
  CHECK(a.y == doctest::Approx(b.y).epsilon(0.001));
  CHECK(a.z == doctest::Approx(b.z).epsilon(0.001));
}

// The rest pose of posebridge_joint_rotations in Unity's axes: upright, arms out, palms down, facing +z.
std::vector<V> rest_pose() {
  std::vector<V> p(33, V{0.0F, 0.6F, 0.1F});
  p[0] = {0.0F, 0.62F, 0.12F};                                // nose
  p[7] = {-0.08F, 0.62F, 0.0F}, p[8] = {0.08F, 0.62F, 0.0F};  // ears: the left one on the left, -x, of who faces +z
  p[11] = {-0.2F, 0.45F, 0.0F}, p[12] = {0.2F, 0.45F, 0.0F};
  p[13] = {-0.5F, 0.45F, 0.0F}, p[14] = {0.5F, 0.45F, 0.0F};
  p[15] = {-0.75F, 0.45F, 0.0F}, p[16] = {0.75F, 0.45F, 0.0F};
  p[17] = {-0.85F, 0.45F, -0.03F}, p[18] = {0.85F, 0.45F, -0.03F};  // little fingers behind
  p[19] = {-0.85F, 0.45F, 0.03F}, p[20] = {0.85F, 0.45F, 0.03F};
  p[21] = {-0.8F, 0.45F, 0.06F}, p[22] = {0.8F, 0.45F, 0.06F};
  p[23] = {-0.1F, 0.0F, 0.0F}, p[24] = {0.1F, 0.0F, 0.0F};
  p[25] = {-0.1F, -0.4F, 0.0F}, p[26] = {0.1F, -0.4F, 0.0F};
  p[27] = {-0.1F, -0.8F, 0.0F}, p[28] = {0.1F, -0.8F, 0.0F};
  p[29] = {-0.1F, -0.85F, -0.05F}, p[30] = {0.1F, -0.85F, -0.05F};
  p[31] = {-0.1F, -0.85F, 0.15F}, p[32] = {0.1F, -0.85F, 0.15F};
  return p;
}

struct Rotations {
  posebridge_quaternion local[POSEBRIDGE_HUMANOID_JOINTS], global[POSEBRIDGE_HUMANOID_JOINTS];
};

Rotations rotations_of(const std::vector<V>& pose, int axes = POSEBRIDGE_AXES_UNITY) {
  std::vector<float> points(pose.size() * 3);
  std::memcpy(points.data(), pose.data(), points.size() * sizeof(float));
  posebridge_convert_points(POSEBRIDGE_AXES_UNITY, axes, points.data(), points.data(), 33);
  Rotations rotations;
  REQUIRE(posebridge_joint_rotations(axes, points.data(), rotations.local, rotations.global) == POSEBRIDGE_OK);
  return rotations;
}

void check_identity(const posebridge_quaternion& q) {
  CHECK(std::fabs(q.x) < 1e-4F);
  CHECK(std::fabs(q.y) < 1e-4F);
  CHECK(std::fabs(q.z) < 1e-4F);
  CHECK(q.w == doctest::Approx(1.0F));
}

}  // namespace

TEST_CASE("points go to the axes of an engine and come back") {
  const float asymmetric[] = {0.1F, 0.2F, 0.3F, -0.4F, 0.5F, -0.6F};
  float out[6], back[6];
  REQUIRE(posebridge_convert_points(POSEBRIDGE_AXES_MEDIAPIPE, POSEBRIDGE_AXES_UNITY, asymmetric, out, 2) == POSEBRIDGE_OK);
  check_near({out[0], out[1], out[2]}, {0.1F, -0.2F, 0.3F});
  REQUIRE(posebridge_convert_points(POSEBRIDGE_AXES_MEDIAPIPE, POSEBRIDGE_AXES_UNREAL, asymmetric, out, 2) == POSEBRIDGE_OK);
  check_near({out[0], out[1], out[2]}, {30.0F, 10.0F, -20.0F});
  check_near({out[3], out[4], out[5]}, {-60.0F, -40.0F, -50.0F});
  REQUIRE(posebridge_convert_points(POSEBRIDGE_AXES_UNREAL, POSEBRIDGE_AXES_UNITY, out, back, 2) == POSEBRIDGE_OK);
  check_near({back[0], back[1], back[2]}, {0.1F, -0.2F, 0.3F});
  REQUIRE(posebridge_convert_points(POSEBRIDGE_AXES_UNITY, POSEBRIDGE_AXES_MEDIAPIPE, back, back, 2) == POSEBRIDGE_OK);
  for (int i = 0; i < 6; ++i) {
    CHECK(back[i] == doctest::Approx(asymmetric[i]));
  }
  CHECK(posebridge_convert_points(3, 0, out, back, 2) == POSEBRIDGE_INVALID_ARGUMENT);
  CHECK(posebridge_convert_points(0, 0, nullptr, back, 2) == POSEBRIDGE_INVALID_ARGUMENT);
}

TEST_CASE("every half precision number becomes the same number") {
  for (std::uint32_t half = 0; half < 0x10000U; ++half) {
    const std::uint8_t bytes[2] = {static_cast<std::uint8_t>(half & 0xFFU), static_cast<std::uint8_t>(half >> 8U)};
    float value = 0.0F;
    posebridge::halves_to_floats(bytes, &value, 1);
    const std::uint32_t exponent = (half >> 10U) & 0x1FU;
    const std::uint32_t mantissa = half & 0x3FFU;
    const double sign = (half & 0x8000U) != 0 ? -1.0 : 1.0;
    if (exponent == 31) {
      CHECK((mantissa == 0 ? std::isinf(value) : std::isnan(value)));
    } else {
      const double expected =
          exponent == 0 ? sign * std::ldexp(mantissa, -24) : sign * std::ldexp(1024.0 + mantissa, static_cast<int>(exponent) - 25);
      REQUIRE(static_cast<double>(value) == expected);
    }
    CHECK(std::signbit(value) == ((half & 0x8000U) != 0));
  }
}

TEST_CASE("the rest pose has no rotation, in every engine's axes") {
  for (const int axes : {POSEBRIDGE_AXES_MEDIAPIPE, POSEBRIDGE_AXES_UNITY, POSEBRIDGE_AXES_UNREAL}) {
    const Rotations rotations = rotations_of(rest_pose(), axes);
    for (const posebridge_quaternion& q : rotations.local) {
      check_identity(q);
    }
  }
}

TEST_CASE("a body that turns turns at the hips alone, the way the engine turns") {
  std::vector<V> pose = rest_pose();
  const float angle = 0.7F;
  for (V& p : pose) {
    // Unity: a positive turn about y takes +z towards +x.
    p = {p.x * std::cos(angle) + p.z * std::sin(angle), p.y, -p.x * std::sin(angle) + p.z * std::cos(angle)};
  }
  const Rotations rotations = rotations_of(pose);
  CHECK(rotations.local[0].y == doctest::Approx(std::sin(angle / 2)).epsilon(0.001));
  CHECK(rotations.local[0].w == doctest::Approx(std::cos(angle / 2)).epsilon(0.001));
  for (int i = 1; i < POSEBRIDGE_HUMANOID_JOINTS; ++i) {
    check_identity(rotations.local[i]);
  }
}

TEST_CASE("a bent elbow and a bent knee are hinges") {
  std::vector<V> pose = rest_pose();
  // The left forearm forward, the right shank back: a quarter turn each.
  for (const int i : {15, 17, 19, 21}) {
    const V from_elbow{pose[static_cast<std::size_t>(i)].x + 0.5F, 0.0F, pose[static_cast<std::size_t>(i)].z};
    pose[static_cast<std::size_t>(i)] = {-0.5F + from_elbow.z, 0.45F, -from_elbow.x};
  }
  pose[28] = {0.1F, -0.4F, -0.4F};
  pose[30] = {0.1F, -0.35F, -0.45F};
  pose[32] = {0.1F, -0.55F, -0.45F};
  const Rotations rotations = rotations_of(pose);
  check_identity(rotations.local[POSEBRIDGE_JOINT_LEFT_UPPER_ARM]);
  check_near(rotate(rotations.local[POSEBRIDGE_JOINT_LEFT_LOWER_ARM], {-1, 0, 0}), {0, 0, 1});
  CHECK(std::fabs(rotations.local[POSEBRIDGE_JOINT_LEFT_LOWER_ARM].y) == doctest::Approx(std::sin(kPi / 4)).epsilon(0.001));
  check_identity(rotations.local[POSEBRIDGE_JOINT_LEFT_HAND]);
  check_identity(rotations.local[POSEBRIDGE_JOINT_RIGHT_UPPER_LEG]);
  check_near(rotate(rotations.local[POSEBRIDGE_JOINT_RIGHT_LOWER_LEG], {0, -1, 0}), {0, 0, -1});
  CHECK(std::fabs(rotations.local[POSEBRIDGE_JOINT_RIGHT_LOWER_LEG].x) == doctest::Approx(std::sin(kPi / 4)).epsilon(0.001));
}

TEST_CASE("bones point where the landmarks say, and global is the product of local, in every engine's axes") {
  std::vector<V> pose = rest_pose();
  pose[13] = {-0.35F, 0.2F, 0.1F};
  pose[15] = {-0.3F, 0.4F, 0.25F};
  pose[25] = {-0.15F, -0.3F, 0.25F};
  pose[27] = {-0.15F, -0.7F, 0.15F};
  pose[0] = {0.05F, 0.6F, 0.1F};
  const int axes_list[] = {POSEBRIDGE_AXES_MEDIAPIPE, POSEBRIDGE_AXES_UNITY, POSEBRIDGE_AXES_UNREAL};
  for (const int axes : axes_list) {
    const Rotations rotations = rotations_of(pose, axes);
    const auto bring = [axes](V v) {
      float point[3] = {v.x, v.y, v.z};
      posebridge_convert_points(POSEBRIDGE_AXES_UNITY, axes, point, point, 1);
      const float size = std::sqrt(point[0] * point[0] + point[1] * point[1] + point[2] * point[2]);
      return V{point[0] / size, point[1] / size, point[2] / size};
    };
    const auto along = [&](int a, int b) {
      const V from = pose[static_cast<std::size_t>(a)];
      const V to = pose[static_cast<std::size_t>(b)];
      return bring({to.x - from.x, to.y - from.y, to.z - from.z});
    };
    check_near(rotate(rotations.global[POSEBRIDGE_JOINT_LEFT_UPPER_ARM], bring({-1, 0, 0})), along(11, 13));
    check_near(rotate(rotations.global[POSEBRIDGE_JOINT_LEFT_LOWER_ARM], bring({-1, 0, 0})), along(13, 15));
    check_near(rotate(rotations.global[POSEBRIDGE_JOINT_LEFT_UPPER_LEG], bring({0, -1, 0})), along(23, 25));
    check_near(rotate(rotations.global[POSEBRIDGE_JOINT_LEFT_LOWER_LEG], bring({0, -1, 0})), along(25, 27));
    for (int i = 0; i < POSEBRIDGE_HUMANOID_JOINTS; ++i) {
      V direct{0.3F, -0.5F, 0.8F};
      V chained = direct;
      for (int j = i; j >= 0; j = posebridge_joint_parent(j)) {
        chained = rotate(rotations.local[j], chained);
      }
      direct = rotate(rotations.global[i], direct);
      check_near(direct, chained);
    }
  }
}

TEST_CASE("a limb that is nearly straight does not make the joint jump") {
  std::vector<V> pose = rest_pose();
  Rotations before = rotations_of(pose);
  for (int step = 1; step <= 200; ++step) {
    const float angle = 0.005F * static_cast<float>(step - 100);
    pose[15] = {-0.5F - 0.25F * std::cos(angle), 0.45F + 0.25F * std::sin(angle), 0.0F};
    const Rotations now = rotations_of(pose);
    if (step > 1) {
      const posebridge_quaternion& a = before.global[POSEBRIDGE_JOINT_LEFT_UPPER_ARM];
      const posebridge_quaternion& b = now.global[POSEBRIDGE_JOINT_LEFT_UPPER_ARM];
      const float cosine = std::fabs(a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w);
      CHECK(cosine > 0.995F);
    }
    before = now;
  }
}

TEST_CASE("landmarks that make no body are refused") {
  std::vector<float> nothing(99, 0.0F);
  posebridge_quaternion local[POSEBRIDGE_HUMANOID_JOINTS];
  CHECK(posebridge_joint_rotations(POSEBRIDGE_AXES_UNITY, nothing.data(), local, nullptr) == POSEBRIDGE_INVALID_ARGUMENT);
  nothing[40] = std::numeric_limits<float>::quiet_NaN();
  CHECK(posebridge_joint_rotations(POSEBRIDGE_AXES_UNITY, nothing.data(), local, nullptr) == POSEBRIDGE_INVALID_ARGUMENT);
  CHECK(posebridge_joint_rotations(7, nothing.data(), local, nullptr) == POSEBRIDGE_INVALID_ARGUMENT);
  CHECK(posebridge_joint_name(POSEBRIDGE_JOINT_LEFT_HAND) == std::string("LeftHand"));
  CHECK(posebridge_joint_name(17) == nullptr);
  CHECK(posebridge_joint_parent(0) == -1);
}
