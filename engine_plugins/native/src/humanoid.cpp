// Landmarks to rotations of a humanoid skeleton; see posebridge_joint_rotations.
//
// Everything is computed in MediaPipe's axes (right-handed, y down) and brought to the caller's at the end. A joint's frame is made of two
// directions: along its bone, and which way it bends (an elbow forward, a knee backward). Where a limb is nearly straight its bend says
// little; there the frame passes over to that of the parent, swung the shortest way on to the bone.
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "axes.h"
#include "posebridge/posebridge.h"

namespace {

struct Vector {
  double x, y, z;
};

Vector operator+(Vector a, Vector b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
Vector operator-(Vector a, Vector b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
Vector operator*(double s, Vector a) { return {s * a.x, s * a.y, s * a.z}; }
double dot(Vector a, Vector b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
Vector cross(Vector a, Vector b) { return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x}; }
double length(Vector a) { return std::sqrt(dot(a, a)); }
Vector unit(Vector a) {
  const double size = length(a);
  return size > 1e-9 ? (1.0 / size) * a : Vector{0.0, 0.0, 0.0};
}

struct Quaternion {
  double w, x, y, z;
};

Quaternion operator*(Quaternion a, Quaternion b) {
  return {a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z, a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y,
          a.w * b.y - a.x * b.z + a.y * b.w + a.z * b.x, a.w * b.z + a.x * b.y - a.y * b.x + a.z * b.w};
}
Quaternion inverse(Quaternion a) { return {a.w, -a.x, -a.y, -a.z}; }
Quaternion unit(Quaternion a) {
  const double size = std::sqrt(a.w * a.w + a.x * a.x + a.y * a.y + a.z * a.z);
  return {a.w / size, a.x / size, a.y / size, a.z / size};
}

Vector turn(Quaternion q, Vector v) {
  const Quaternion turned = q * Quaternion{0.0, v.x, v.y, v.z} * inverse(q);
  return {turned.x, turned.y, turned.z};
}

// Between two rotations, the short way, at even speed (Shoemake 1985).
Quaternion between(Quaternion a, Quaternion b, double share) {
  double cosine = a.w * b.w + a.x * b.x + a.y * b.y + a.z * b.z;
  const double sign = cosine < 0.0 ? -1.0 : 1.0;
  cosine = std::fabs(cosine);
  double of_a = 1.0 - share;
  double of_b = share;
  if (cosine < 0.9995) {
    const double angle = std::acos(cosine);
    of_a = std::sin((1.0 - share) * angle) / std::sin(angle);
    of_b = std::sin(share * angle) / std::sin(angle);
  }
  of_b *= sign;
  return unit(Quaternion{of_a * a.w + of_b * b.w, of_a * a.x + of_b * b.x, of_a * a.y + of_b * b.y, of_a * a.z + of_b * b.z});
}

// The rotation with columns a, b, c: three unit vectors at right angles, right-handed (Shepperd 1978).
Quaternion from_columns(Vector a, Vector b, Vector c) {
  const double trace = a.x + b.y + c.z;
  Quaternion q{};
  if (trace > 0.0) {
    const double s = 2.0 * std::sqrt(1.0 + trace);
    q = {0.25 * s, (b.z - c.y) / s, (c.x - a.z) / s, (a.y - b.x) / s};
  } else if (a.x >= b.y && a.x >= c.z) {
    const double s = 2.0 * std::sqrt(1.0 + a.x - b.y - c.z);
    q = {(b.z - c.y) / s, 0.25 * s, (b.x + a.y) / s, (c.x + a.z) / s};
  } else if (b.y >= c.z) {
    const double s = 2.0 * std::sqrt(1.0 + b.y - a.x - c.z);
    q = {(c.x - a.z) / s, (b.x + a.y) / s, 0.25 * s, (c.y + b.z) / s};
  } else {
    const double s = 2.0 * std::sqrt(1.0 + c.z - a.x - b.y);
    q = {(a.y - b.x) / s, (c.x + a.z) / s, (c.y + b.z) / s, 0.25 * s};
  }
  return unit(q);
}

// The shortest rotation that takes one unit vector to another.
Quaternion swing(Vector from, Vector to) {
  const double cosine = dot(from, to);
  if (cosine < -0.999999) {
    const Vector axis = unit(std::fabs(from.x) < 0.9 ? cross(from, {1.0, 0.0, 0.0}) : cross(from, {0.0, 1.0, 0.0}));
    return {0.0, axis.x, axis.y, axis.z};
  }
  const Vector axis = cross(from, to);
  return unit(Quaternion{1.0 + cosine, axis.x, axis.y, axis.z});
}

// Directions of the rest pose, MediaPipe's axes: upright, facing away from the camera.
constexpr Vector kLeft{-1.0, 0.0, 0.0};
constexpr Vector kRight{1.0, 0.0, 0.0};
constexpr Vector kUp{0.0, -1.0, 0.0};
constexpr Vector kDown{0.0, 1.0, 0.0};
constexpr Vector kForward{0.0, 0.0, 1.0};
constexpr Vector kBack{0.0, 0.0, -1.0};

// A bend below the first sine says nothing, above the second all; between, some.
constexpr double kStraight = 0.08;
constexpr double kBent = 0.3;

// The rotation that takes the rest's pair of directions to the seen pair: the first exactly, the second as far as it goes. `clear` is the
// sine of the angle between the seen two.
struct Seen {
  Quaternion rotation;
  double clear;
};

Seen from_pair(Vector rest_first, Vector rest_second, Vector first, Vector second) {
  const Vector a = unit(first);
  const Vector s = unit(second);
  const Vector across = s - dot(s, a) * a;
  const double clear = length(across);
  if (clear < 1e-6) {
    return {{1.0, 0.0, 0.0, 0.0}, 0.0};
  }
  const Vector b = unit(across);
  const Vector rest_b = unit(rest_second - dot(rest_second, rest_first) * rest_first);
  const Quaternion seen = from_columns(a, b, cross(a, b));
  const Quaternion rest = from_columns(rest_first, rest_b, cross(rest_first, rest_b));
  return {seen * inverse(rest), clear};
}

// A bone along `first` in a parent's frame; `second` (which way it bends) counts as far as it is clear.
Quaternion bone(Quaternion parent, Vector rest_first, Vector rest_second, Vector first, Vector second) {
  const Vector direction = unit(first);
  if (length(direction) < 0.5) {
    return parent;
  }
  const Quaternion swung = swing(turn(parent, rest_first), direction) * parent;
  const Seen seen = from_pair(rest_first, rest_second, direction, second);
  double share = (seen.clear - kStraight) / (kBent - kStraight);
  share = share < 0.0 ? 0.0 : share > 1.0 ? 1.0 : share;
  return share == 0.0 ? swung : between(swung, seen.rotation, share * share * (3.0 - 2.0 * share));
}

enum Landmark {
  kNose = 0,
  kLeftEar = 7,
  kRightEar = 8,
  kLeftShoulder = 11,
  kRightShoulder = 12,
  kLeftElbow = 13,
  kRightElbow = 14,
  kLeftWrist = 15,
  kRightWrist = 16,
  kLeftPinky = 17,
  kRightPinky = 18,
  kLeftIndex = 19,
  kRightIndex = 20,
  kLeftHip = 23,
  kRightHip = 24,
  kLeftKnee = 25,
  kRightKnee = 26,
  kLeftAnkle = 27,
  kRightAnkle = 28,
  kLeftHeel = 29,
  kRightHeel = 30,
  kLeftToe = 31,
  kRightToe = 32,
  kLandmarks = 33
};

struct Joint {
  const char* name;
  int parent;
};

constexpr Joint kJoints[POSEBRIDGE_HUMANOID_JOINTS] = {
    {"Hips", -1},         {"Spine", 0},     {"Chest", 1},         {"Neck", 2},           {"Head", 3},       {"LeftUpperArm", 2},
    {"LeftLowerArm", 5},  {"LeftHand", 6},  {"RightUpperArm", 2}, {"RightLowerArm", 8},  {"RightHand", 9},  {"LeftUpperLeg", 0},
    {"LeftLowerLeg", 11}, {"LeftFoot", 12}, {"RightUpperLeg", 0}, {"RightLowerLeg", 14}, {"RightFoot", 15},
};

struct Side {
  int upper_arm, upper_leg;
  Landmark shoulder, elbow, wrist, pinky, index, hip, knee, ankle, heel, toe;
  Vector outward;
};

constexpr Side kSides[] = {
    {POSEBRIDGE_JOINT_LEFT_UPPER_ARM, POSEBRIDGE_JOINT_LEFT_UPPER_LEG, kLeftShoulder, kLeftElbow, kLeftWrist, kLeftPinky, kLeftIndex,
     kLeftHip, kLeftKnee, kLeftAnkle, kLeftHeel, kLeftToe, kLeft},
    {POSEBRIDGE_JOINT_RIGHT_UPPER_ARM, POSEBRIDGE_JOINT_RIGHT_UPPER_LEG, kRightShoulder, kRightElbow, kRightWrist, kRightPinky, kRightIndex,
     kRightHip, kRightKnee, kRightAnkle, kRightHeel, kRightToe, kRight},
};

// Global rotations, MediaPipe's axes. False if the trunk has no extent.
bool rotations(const Vector* at, Quaternion* joints) {
  const Vector hips = 0.5 * (at[kLeftHip] + at[kRightHip]);
  const Vector shoulders = 0.5 * (at[kLeftShoulder] + at[kRightShoulder]);
  const Vector up = shoulders - hips;
  const Seen pelvis = from_pair(kUp, kRight, up, at[kRightHip] - at[kLeftHip]);
  const Seen chest = from_pair(kUp, kRight, up, at[kRightShoulder] - at[kLeftShoulder]);
  if (length(up) < 1e-6 || (pelvis.clear < 1e-3 && chest.clear < 1e-3)) {
    return false;
  }
  joints[POSEBRIDGE_JOINT_HIPS] = pelvis.clear < 1e-3 ? chest.rotation : pelvis.rotation;
  joints[POSEBRIDGE_JOINT_CHEST] = chest.clear < 1e-3 ? pelvis.rotation : chest.rotation;
  joints[POSEBRIDGE_JOINT_SPINE] = between(joints[POSEBRIDGE_JOINT_HIPS], joints[POSEBRIDGE_JOINT_CHEST], 0.5);
  const Vector ears = 0.5 * (at[kLeftEar] + at[kRightEar]);
  const Seen head = from_pair(kRight, kForward, at[kRightEar] - at[kLeftEar], at[kNose] - ears);
  joints[POSEBRIDGE_JOINT_HEAD] = head.clear < 0.05 ? joints[POSEBRIDGE_JOINT_CHEST] : head.rotation;
  joints[POSEBRIDGE_JOINT_NECK] = between(joints[POSEBRIDGE_JOINT_CHEST], joints[POSEBRIDGE_JOINT_HEAD], 0.5);
  for (const Side& side : kSides) {
    const Vector upper = at[side.elbow] - at[side.shoulder];
    const Vector lower = at[side.wrist] - at[side.elbow];
    Quaternion* arm = joints + side.upper_arm;
    // Bending an elbow brings the forearm forward: it shows where forward is for the upper arm, and the upper arm (from behind) for it.
    arm[0] = bone(joints[POSEBRIDGE_JOINT_CHEST], side.outward, kForward, upper, lower);
    arm[1] = bone(arm[0], side.outward, kBack, lower, upper);
    const Vector knuckles = 0.5 * (at[side.index] + at[side.pinky]);
    arm[2] = bone(arm[1], side.outward, kForward, knuckles - at[side.wrist], at[side.index] - at[side.pinky]);
    const Vector thigh = at[side.knee] - at[side.hip];
    const Vector shank = at[side.ankle] - at[side.knee];
    Quaternion* leg = joints + side.upper_leg;
    leg[0] = bone(joints[POSEBRIDGE_JOINT_HIPS], kDown, kBack, thigh, shank);
    leg[1] = bone(leg[0], kDown, kForward, shank, thigh);
    leg[2] = bone(leg[1], kForward, kUp, at[side.toe] - at[side.heel], at[side.knee] - at[side.ankle]);
  }
  return true;
}

// A rotation's vector part in other axes: it is a direction too, but turns round where the axes change hands.
posebridge_quaternion bring(const posebridge::Axes& axes, Quaternion q) {
  const double parts[3] = {q.x, q.y, q.z};
  // The permutations of all presets are even; what is left is the signs.
  const double hand = static_cast<double>(axes.sign[0]) * static_cast<double>(axes.sign[1]) * static_cast<double>(axes.sign[2]);
  float out[3];
  for (int c = 0; c < 3; ++c) {
    out[c] = static_cast<float>(hand * static_cast<double>(axes.sign[c]) * parts[axes.from[c]]);
  }
  const float sign = q.w < 0.0 ? -1.0F : 1.0F;
  return {sign * out[0], sign * out[1], sign * out[2], sign * static_cast<float>(q.w)};
}

}  // namespace

extern "C" {

int32_t posebridge_joint_rotations(int32_t axes, const float* landmarks, posebridge_quaternion* local, posebridge_quaternion* global) {
  if (!posebridge::is_axes(axes) || landmarks == nullptr) {
    return POSEBRIDGE_INVALID_ARGUMENT;
  }
  const posebridge::Axes& preset = posebridge::axes_of(axes);
  Vector at[kLandmarks];
  for (int i = 0; i < kLandmarks; ++i) {
    float point[3];
    posebridge::to_mediapipe(preset, landmarks + std::ptrdiff_t{3} * i, 3, point, 3, 1);
    if (!std::isfinite(point[0]) || !std::isfinite(point[1]) || !std::isfinite(point[2])) {
      return POSEBRIDGE_INVALID_ARGUMENT;
    }
    at[i] = {static_cast<double>(point[0]), static_cast<double>(point[1]), static_cast<double>(point[2])};
  }
  Quaternion joints[POSEBRIDGE_HUMANOID_JOINTS];
  if (!rotations(at, joints)) {
    return POSEBRIDGE_INVALID_ARGUMENT;
  }
  for (int i = 0; i < POSEBRIDGE_HUMANOID_JOINTS; ++i) {
    if (global != nullptr) {
      global[i] = bring(preset, joints[i]);
    }
    if (local != nullptr) {
      const int parent = kJoints[i].parent;
      local[i] = bring(preset, parent < 0 ? joints[i] : inverse(joints[parent]) * joints[i]);
    }
  }
  return POSEBRIDGE_OK;
}

int32_t posebridge_joint_parent(int32_t joint) { return joint < 0 || joint >= POSEBRIDGE_HUMANOID_JOINTS ? -1 : kJoints[joint].parent; }

const char* posebridge_joint_name(int32_t joint) {
  return joint < 0 || joint >= POSEBRIDGE_HUMANOID_JOINTS ? nullptr : kJoints[joint].name;
}

}  // extern "C"
