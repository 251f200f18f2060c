// SPDX-License-Identifier: Apache-2.0

namespace PoseBridge
{
    /// <summary>
    /// Where observed poses come from: a tracker, a clip, a network. Put an implementation that is a MonoBehaviour on the same object
    /// as <see cref="PoseBridgeAvatar"/>.
    /// </summary>
    public interface IPoseSource
    {
        /// <summary>Id of the landmark layout that the source delivers, such as "mediapipe.pose.33".</summary>
        string LayoutId { get; }

        /// <summary>Landmarks of a pose, J.</summary>
        int LandmarkCount { get; }

        /// <summary>
        /// Fill in the next observed pose, oldest first; false if there is none now. Called on the main thread, again and again in
        /// each Unity frame until it returns false. Time stamps must rise.
        /// </summary>
        bool TryRead(PoseFrame frame);
    }
}
