// SPDX-License-Identifier: Apache-2.0

using System;
using System.Runtime.InteropServices;

namespace PoseBridge
{
    // The structs of posebridge.h with the same fields in the same order. All are blittable: no copy and no garbage at a call.
    // C's size_t is UIntPtr here, every pointer IntPtr or a typed pointer.

    [StructLayout(LayoutKind.Sequential)]
    internal struct NativeConfig
    {
        public UIntPtr Size;
        public IntPtr Endpoint;
        public IntPtr ClientName;
        public IntPtr LayoutId;
        public uint Landmarks;
        public float ForecastRateHz;
        public uint HorizonMs;
        public uint Samples;
        public uint Futures;
        public uint DeadlineMs;
        public ulong Seed;
        public float VisibilityThreshold;
        public int Anomaly;
        public float FalseAlarmsPerHour;
        public int Axes;
        public uint MaxAvatars;
        public uint SendQueueFrames;
        public uint ResendFrames;
        public uint BlendMs;
        public uint ExtrapolateMs;
        public uint ReconnectMinMs;
        public uint ReconnectMaxMs;
        public uint SilenceMs;
        public IntPtr ServerPublicKey;
        public IntPtr ClientPublicKey;
        public IntPtr ClientSecretKey;
        public IntPtr Token;
        public IntPtr Log;
        public IntPtr LogUser;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeError
    {
        public const int FieldBytes = 128;
        public const int ProblemBytes = 256;
        public const int ExpectedBytes = 256;

        public UIntPtr Size;
        public int Code;
        public ulong Count;
        public fixed byte Field[FieldBytes];
        public fixed byte Problem[ProblemBytes];
        public fixed byte Expected[ExpectedBytes];
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeSession
    {
        public const int ServerVersionBytes = 32;
        public const int SessionIdBytes = 64;

        public UIntPtr Size;
        public uint ProtocolVersion;
        public fixed byte ServerVersion[ServerVersionBytes];
        public fixed byte SessionId[SessionIdBytes];
        public uint ContextFrames;
        public float RateHz;
        public uint HorizonMs;
        public uint Samples;
        public uint Futures;
        public float ForecastRateHz;
        public float FalseAlarmsPerHour;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeForecast
    {
        public UIntPtr Size;
        public ulong BasedOnSequence;
        public ulong BasedOnTimestampUs;
        public uint StepUs;
        public uint Futures;
        public uint Steps;
        public uint Landmarks;
        public float* Positions;
        public float* Roots;
        public float* Probabilities;
        public uint* ModeIds;
        public float* Spread;
        public float PValue;
        public float Evidence;
        public int Degraded;
        public ulong AgeUs;
        public ulong ReceivedUs;
        public ulong Number;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativePose
    {
        public UIntPtr Size;
        public float* Positions;
        public fixed float Root[3];
        public int HasRoot;
        public float Probability;
        public uint ModeId;
        public long AheadUs;
        public long BeyondUs;
        public ulong Number;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeJoint
    {
        public const int NameBytes = 64;

        public uint Landmark;
        public float Share;
        public fixed byte Name[NameBytes];
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeAlert
    {
        public const int IdBytes = 64;
        public const int AvatarIdBytes = 65;
        public const int MaxJoints = 8;

        public UIntPtr Size;
        public fixed byte Id[IdBytes];
        public uint Revision;
        public ulong Cursor;
        public int State;
        public fixed byte AvatarId[AvatarIdBytes];
        public ulong StartedUs;
        public ulong RaisedUs;
        public ulong EndedUs;
        public double PValue;
        public float Score;
        public float Threshold;
        public int Severity;
        public uint JointCount;

        // C has an array of 8 structs here; C# allows fixed arrays of plain numbers only. Read it as a pointer to Joint0.
        public NativeJoint Joint0;
        public NativeJoint Joint1;
        public NativeJoint Joint2;
        public NativeJoint Joint3;
        public NativeJoint Joint4;
        public NativeJoint Joint5;
        public NativeJoint Joint6;
        public NativeJoint Joint7;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct NativeStats
    {
        public UIntPtr Size;
        public int State;
        public ulong Sessions;
        public ulong FramesGiven;
        public ulong FramesSent;
        public ulong FramesResent;
        public ulong FramesDropped;
        public ulong Forecasts;
        public ulong ForecastsSkipped;
        public ulong FrameErrors;
        public ulong Malformed;
        public ulong Alerts;
        public ulong AlertsDropped;
        public ulong BytesSent;
        public ulong BytesReceived;
        public ulong Allocations;
        public ulong LatencyUs;
        public int ClockKnown;
        public ulong RoundTripUs;
        public long ClockOffsetUs;
    }
}
