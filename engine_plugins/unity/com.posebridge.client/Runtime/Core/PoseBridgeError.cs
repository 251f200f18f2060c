// SPDX-License-Identifier: Apache-2.0

using System;

namespace PoseBridge
{
    /// <summary>An error as it was last seen.</summary>
    public sealed class PoseBridgeError
    {
        internal unsafe PoseBridgeError(NativeError* error)
        {
            Code = (PoseBridgeErrorCode)error->Code;
            Count = error->Count;
            Field = NativeText.Read(error->Field, NativeError.FieldBytes);
            Problem = NativeText.Read(error->Problem, NativeError.ProblemBytes);
            Expected = NativeText.Read(error->Expected, NativeError.ExpectedBytes);
        }

        public PoseBridgeErrorCode Code { get; }

        /// <summary>Rises with every error of the client, so that a new one can be told from an old one.</summary>
        public ulong Count { get; }

        /// <summary>The field at fault; may be empty.</summary>
        public string Field { get; }

        /// <summary>What was wrong.</summary>
        public string Problem { get; }

        /// <summary>What would be right; may be empty.</summary>
        public string Expected { get; }

        public override string ToString()
        {
            return Code + ": " + Describe(Field, Problem, Expected);
        }

        internal static string Describe(string field, string problem, string expected)
        {
            string text = string.IsNullOrEmpty(field) ? problem ?? "" : field + ": " + problem;
            return string.IsNullOrEmpty(expected) ? text : text + " (expected: " + expected + ")";
        }

        /// <summary>The exception for a native call that returned less than 0.</summary>
        internal PoseBridgeException ToException(int result)
        {
            string problem = Problem.Length == 0 ? "the native call failed with result " + result : Problem;
            switch (result)
            {
                case NativeResult.InvalidArgument:
                    return new PoseBridgeArgumentException(Field, problem, Expected);
                case NativeResult.FailedPrecondition:
                    return new PoseBridgePreconditionException(Field, problem, Expected);
                case NativeResult.ResourceExhausted:
                    return new PoseBridgeExhaustedException(Field, problem, Expected);
                case NativeResult.OutOfResources:
                    return new PoseBridgeResourcesException(Field, problem, Expected);
                default:
                    return new PoseBridgeException(PoseBridgeErrorCode.Internal, Field, problem, Expected);
            }
        }
    }

    /// <summary>What native calls return.</summary>
    internal static class NativeResult
    {
        internal const int Ok = 0;
        internal const int Empty = 1;
        internal const int DroppedOldest = 2;
        internal const int InvalidArgument = -1;
        internal const int FailedPrecondition = -2;
        internal const int ResourceExhausted = -3;
        internal const int OutOfResources = -4;
    }

    /// <summary>A line that the client logged.</summary>
    public struct PoseLogMessage
    {
        public PoseLogMessage(PoseLogLevel level, string text)
        {
            Level = level;
            Text = text;
        }

        public PoseLogLevel Level { get; }

        public string Text { get; }
    }
}
