// SPDX-License-Identifier: Apache-2.0

using System.Collections.Generic;
using UnityEngine;

namespace PoseBridge
{
    /// <summary>Reads one landmark of some tracker's type: x, y, z in metres, visibility from 0 to 1.</summary>
    public delegate void LandmarkReader<T>(T landmark, out float x, out float y, out float z, out float visibility);

    /// <summary>
    /// Takes MediaPipe's world landmarks as they come from MediaPipeUnityPlugin or any other wrapper, from any thread. This package
    /// does not depend on that plugin: you say in one line how a landmark is read.
    /// </summary>
    /// <example><code>
    /// // Once, in a static field, so that no frame makes garbage:
    /// static readonly LandmarkReader&lt;Landmark&gt; Reader =
    ///     (Landmark l, out float x, out float y, out float z, out float v) =&gt;
    ///     { x = l.x; y = l.y; z = l.z; v = l.visibility ?? 1f; };
    ///
    /// // In the tracker's callback; its time stamps are milliseconds:
    /// source.Push(result.poseWorldLandmarks[0].landmarks, Reader, 1000ul * (ulong)timestampMs);
    /// </code></example>
    [AddComponentMenu("PoseBridge/MediaPipe Landmark Source")]
    public sealed class MediaPipeLandmarkSource : MonoBehaviour, IPoseSource
    {
        private const int WaitingFrames = 8;

        private readonly object _lock = new object();
        private readonly PoseFrame _filled = new PoseFrame(MediaPipePose.LandmarkCount);
        private readonly PoseFrameQueue _queue = new PoseFrameQueue(MediaPipePose.LandmarkCount, WaitingFrames);
        private ulong _lastUs;

        public string LayoutId => MediaPipePose.LayoutId;

        public int LandmarkCount => MediaPipePose.LandmarkCount;

        /// <summary>Hand over the world landmarks of one body. May be called on any thread.</summary>
        /// <param name="landmarks">33 world landmarks; null or empty: nobody was seen.</param>
        /// <param name="reader">How a landmark is read; keep it in a static field.</param>
        /// <param name="timestampUs">Time of capture in microseconds. A frame that is not newer than the last is left out;
        /// one that is more than a second older starts the clock anew.</param>
        public void Push<T>(IList<T> landmarks, LandmarkReader<T> reader, ulong timestampUs)
        {
            if (landmarks == null || landmarks.Count == 0)
            {
                PushUndetected(timestampUs);
                return;
            }
            RequireCount(landmarks.Count, MediaPipePose.LandmarkCount, "landmarks", "world landmarks");
            lock (_lock)
            {
                for (int i = 0; i < MediaPipePose.LandmarkCount; i++)
                {
                    float x;
                    float y;
                    float z;
                    float visibility;
                    reader(landmarks[i], out x, out y, out z, out visibility);
                    _filled.SetLandmark(i, x, y, z, visibility);
                }
                Enqueue(timestampUs, true);
            }
        }

        /// <summary>Hand over the world landmarks of one body as numbers. May be called on any thread.</summary>
        /// <param name="landmarks">(33, 4): x, y, z in metres and MediaPipe's axes, visibility; null: nobody was seen.</param>
        /// <param name="timestampUs">Time of capture in microseconds. A frame that is not newer than the last is left out;
        /// one that is more than a second older starts the clock anew.</param>
        public void Push(float[] landmarks, ulong timestampUs)
        {
            if (landmarks == null)
            {
                PushUndetected(timestampUs);
                return;
            }
            RequireCount(landmarks.Length, 4 * MediaPipePose.LandmarkCount, "landmarks", "numbers: x, y, z, visibility of each");
            lock (_lock)
            {
                System.Array.Copy(landmarks, _filled.Landmarks, landmarks.Length);
                Enqueue(timestampUs, true);
            }
        }

        /// <summary>Say that nobody was seen. May be called on any thread.</summary>
        /// <param name="timestampUs">Time of capture in microseconds.</param>
        public void PushUndetected(ulong timestampUs)
        {
            lock (_lock)
            {
                Enqueue(timestampUs, false);
            }
        }

        /// <inheritdoc/>
        public bool TryRead(PoseFrame frame)
        {
            return _queue.TryPop(frame);
        }

        private void OnDisable()
        {
            _queue.Clear();
            lock (_lock)
            {
                _lastUs = 0;
            }
        }

        private void Enqueue(ulong timestampUs, bool detected)
        {
            // Trackers repeat a time stamp now and then, and begin at 0. One that goes far back was started again.
            bool repeated = timestampUs <= _lastUs && _lastUs - timestampUs < SourceClock.RestartUs;
            if (timestampUs == 0 || repeated)
            {
                return;
            }
            _lastUs = timestampUs;
            _filled.TimestampUs = timestampUs;
            _filled.Detected = detected;
            _filled.Axes = PoseAxes.MediaPipe;
            _queue.Push(_filled);
        }

        private static void RequireCount(int count, int expected, string field, string what)
        {
            if (count != expected)
            {
                throw new PoseBridgeArgumentException(field, "has " + count, expected + " " + what);
            }
        }
    }
}
