// SPDX-License-Identifier: Apache-2.0

namespace PoseBridge
{
    /// <summary>The axes and units of every position that goes into or comes out of a client.</summary>
    public enum PoseAxes
    {
        /// <summary>Metres, right-handed: x to the image's right, y down, z away from the camera.</summary>
        MediaPipe = 0,

        /// <summary>Metres, left-handed: x right, y up, z forward. MediaPipe's (x, -y, z).</summary>
        Unity = 1,

        /// <summary>Centimetres, left-handed: x forward, y right, z up. MediaPipe's (100 z, 100 x, -100 y).</summary>
        Unreal = 2,
    }

    /// <summary>Where a client stands.</summary>
    public enum PoseBridgeState
    {
        /// <summary>Not asked to connect.</summary>
        Disconnected = 0,

        /// <summary>Trying to reach the server; also between two tries.</summary>
        Connecting = 1,

        /// <summary>The server has accepted the session.</summary>
        Ready = 2,

        /// <summary>The server is about to stop; another one will be looked for.</summary>
        Draining = 3,

        /// <summary>
        /// The server will not have this client as it is (version, token, layout): the last error says why. No more tries are made
        /// until Connect is called again.
        /// </summary>
        Refused = 4,
    }

    /// <summary>What kind of error it was; the numbers are those of the wire.</summary>
    public enum PoseBridgeErrorCode
    {
        None = 0,
        InvalidArgument = 1,
        FailedPrecondition = 2,
        NotFound = 3,
        VersionMismatch = 4,
        ResourceExhausted = 5,
        Unavailable = 6,
        Malformed = 7,
        Internal = 8,
        DeadlineExceeded = 9,
        Unauthenticated = 10,
        PermissionDenied = 11,
    }

    /// <summary>What became of a frame that was handed over.</summary>
    public enum SendResult
    {
        /// <summary>It is sent, or will be as soon as there is a connection.</summary>
        Accepted = 0,

        /// <summary>It was taken, and the oldest frame that still waited was dropped for it.</summary>
        DroppedOldest = 2,
    }

    /// <summary>How serious a log message is.</summary>
    public enum PoseLogLevel
    {
        Info = 0,
        Warning = 1,
        Error = 2,
    }

    /// <summary>Which change of an alert is reported.</summary>
    public enum AlertState
    {
        Raised = 1,
        Updated = 2,
        Cleared = 3,
        Acknowledged = 4,
    }

    /// <summary>How serious an alert is.</summary>
    public enum AlertSeverity
    {
        Low = 1,
        Medium = 2,
        High = 3,
    }

    /// <summary>
    /// Joints of the humanoid skeleton, in the order of every array of rotations; a parent stands before its children. With all
    /// rotations at identity the body stands upright, arms straight out to its sides, palms down, and faces +z (Unity axes).
    /// </summary>
    public enum HumanoidJoint
    {
        Hips = 0,
        Spine = 1,
        Chest = 2,
        Neck = 3,
        Head = 4,
        LeftUpperArm = 5,
        LeftLowerArm = 6,
        LeftHand = 7,
        RightUpperArm = 8,
        RightLowerArm = 9,
        RightHand = 10,
        LeftUpperLeg = 11,
        LeftLowerLeg = 12,
        LeftFoot = 13,
        RightUpperLeg = 14,
        RightLowerLeg = 15,
        RightFoot = 16,
    }
}
