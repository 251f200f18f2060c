// SPDX-License-Identifier: Apache-2.0

using System;

namespace PoseBridge
{
    /// <summary>
    /// What went wrong, with which field, and what would be right. Derived:
    /// <see cref="PoseBridgeArgumentException"/>, <see cref="PoseBridgePreconditionException"/>,
    /// <see cref="PoseBridgeExhaustedException"/>, <see cref="PoseBridgeResourcesException"/>,
    /// <see cref="PoseBridgeLibraryException"/>, <see cref="PoseBridgeVersionException"/> and
    /// <see cref="PoseRecordingException"/>.
    /// </summary>
    public class PoseBridgeException : Exception
    {
        public PoseBridgeException(PoseBridgeErrorCode code, string field, string problem, string expected, Exception inner = null)
            : base(PoseBridgeError.Describe(field, problem, expected), inner)
        {
            Code = code;
            Field = field ?? "";
            Problem = problem ?? "";
            Expected = expected ?? "";
        }

        public PoseBridgeErrorCode Code { get; }

        /// <summary>The field at fault; may be empty.</summary>
        public string Field { get; }

        /// <summary>What was wrong.</summary>
        public string Problem { get; }

        /// <summary>What would be right; may be empty.</summary>
        public string Expected { get; }
    }

    /// <summary>An argument is wrong.</summary>
    public sealed class PoseBridgeArgumentException : PoseBridgeException
    {
        public PoseBridgeArgumentException(string field, string problem, string expected)
            : base(PoseBridgeErrorCode.InvalidArgument, field, problem, expected)
        {
        }
    }

    /// <summary>Not now: for instance too many forecasts are borrowed, or the client is connected already.</summary>
    public sealed class PoseBridgePreconditionException : PoseBridgeException
    {
        public PoseBridgePreconditionException(string field, string problem, string expected)
            : base(PoseBridgeErrorCode.FailedPrecondition, field, problem, expected)
        {
        }
    }

    /// <summary>A limit is reached: one that was set in <see cref="PoseBridgeConfig"/>, or one of the wire.</summary>
    public sealed class PoseBridgeExhaustedException : PoseBridgeException
    {
        public PoseBridgeExhaustedException(string field, string problem, string expected)
            : base(PoseBridgeErrorCode.ResourceExhausted, field, problem, expected)
        {
        }
    }

    /// <summary>No memory, no thread or no socket is to be had.</summary>
    public sealed class PoseBridgeResourcesException : PoseBridgeException
    {
        public PoseBridgeResourcesException(string field, string problem, string expected)
            : base(PoseBridgeErrorCode.Internal, field, problem, expected)
        {
        }
    }

    /// <summary>The native library is not there, or cannot be loaded.</summary>
    public sealed class PoseBridgeLibraryException : PoseBridgeException
    {
        public PoseBridgeLibraryException(string problem, Exception inner)
            : base(
                PoseBridgeErrorCode.FailedPrecondition,
                "native library",
                problem,
                "posebridge.dll, libposebridge.so or libposebridge.dylib in Runtime/Plugins/<platform>, see the README there",
                inner)
        {
        }
    }

    /// <summary>The native library is of a version that this package cannot work with.</summary>
    public sealed class PoseBridgeVersionException : PoseBridgeException
    {
        public PoseBridgeVersionException(string libraryVersion, string packageVersion)
            : base(
                PoseBridgeErrorCode.VersionMismatch,
                "native library",
                "the loaded library is version " + libraryVersion + ", this package was made for " + packageVersion,
                "two versions that begin with the same number")
        {
            LibraryVersion = libraryVersion;
            PackageVersion = packageVersion;
        }

        /// <summary>Version of the library that was loaded.</summary>
        public string LibraryVersion { get; }

        /// <summary>Version of the library that this package was made for.</summary>
        public string PackageVersion { get; }
    }

    /// <summary>A recording cannot be read or written.</summary>
    public sealed class PoseRecordingException : PoseBridgeException
    {
        public PoseRecordingException(string field, string problem, string expected)
            : base(PoseBridgeErrorCode.Malformed, field, problem, expected)
        {
        }
    }
}
