// SPDX-License-Identifier: Apache-2.0

using System;
using System.Runtime.InteropServices;

namespace PoseBridge
{
    /// <summary>
    /// The functions of posebridge.h, as they are there; nothing else in the package calls native code. Left out is
    /// posebridge_latest_forecast: a borrowed forecast is copied straight into managed arrays instead.
    /// </summary>
    internal static unsafe class UnsafeNativeMethods
    {
#if (UNITY_IOS || UNITY_TVOS || UNITY_VISIONOS) && !UNITY_EDITOR
        private const string Library = "__Internal";
#else
        private const string Library = "posebridge";
#endif
        private const CallingConvention Convention = CallingConvention.Cdecl;

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern IntPtr posebridge_version();

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern ulong posebridge_now_us();

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern int posebridge_default_config(NativeConfig* config);

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern int posebridge_create(NativeConfig* config, IntPtr* client, NativeError* error);

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern void posebridge_destroy(IntPtr client);

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern int posebridge_connect(NativeClientHandle client);

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern int posebridge_disconnect(NativeClientHandle client);

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern int posebridge_get_state(NativeClientHandle client);

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern int posebridge_last_error(NativeClientHandle client, NativeError* error);

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern int posebridge_get_session(NativeClientHandle client, NativeSession* session);

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern int posebridge_get_stats(NativeClientHandle client, NativeStats* stats);

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern int posebridge_add_avatar(NativeClientHandle client, byte* avatarId);

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern int posebridge_send_frame(
            NativeClientHandle client, int avatar, ulong timestampUs, float* landmarks, double* root, ulong* sequence);

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern int posebridge_borrow_forecast(
            NativeClientHandle client, int avatar, NativeForecast** forecast);

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern int posebridge_release_forecast(
            NativeClientHandle client, int avatar, NativeForecast* forecast);

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern ulong posebridge_forecast_number(NativeClientHandle client, int avatar);

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern int posebridge_pose_at(
            NativeClientHandle client, int avatar, ulong timeUs, int future, NativePose* pose);

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern int posebridge_poll_alert(NativeClientHandle client, NativeAlert* alert);

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern int posebridge_convert_points(
            int fromAxes, int toAxes, float* input, float* output, uint count);

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern int posebridge_joint_rotations(
            int axes, float* landmarks, JointRotation* local, JointRotation* global);

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern int posebridge_joint_parent(int joint);

        [DllImport(Library, CallingConvention = Convention)]
        internal static extern IntPtr posebridge_joint_name(int joint);
    }
}
