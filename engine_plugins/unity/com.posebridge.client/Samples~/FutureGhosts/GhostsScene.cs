// SPDX-License-Identifier: Apache-2.0

using UnityEngine;

namespace PoseBridge.Samples
{
    /// <summary>
    /// Builds the sample: a camera, a connection, and one body that a clip moves, with its ghosts. Put it on an empty object of an
    /// empty scene, give it the clip "Walk.pbr.bytes", start a server and press Play.
    /// </summary>
    public sealed class GhostsScene : MonoBehaviour
    {
        [SerializeField] private TextAsset _clip;
        [SerializeField] private string _endpoint = "tcp://127.0.0.1:50552";

        private void Start()
        {
            if (_clip == null)
            {
                Debug.LogError("GhostsScene: clip: none is given (expected: Walk.pbr.bytes)", this);
                return;
            }
            MakeCamera();
            MakeConnection();
            MakeBody();
        }

        private static void MakeCamera()
        {
            if (Camera.main != null)
            {
                return;
            }
            GameObject holder = new GameObject("Camera") { tag = "MainCamera" };
            Camera view = holder.AddComponent<Camera>();
            view.clearFlags = CameraClearFlags.SolidColor;
            view.backgroundColor = new Color(0.08f, 0.09f, 0.12f);
            holder.transform.position = new Vector3(0, 1.1f, -3.2f);
        }

        private void MakeConnection()
        {
            GameObject holder = new GameObject("PoseBridge Connection");
            // Off while it is set up: a component starts as soon as it is on an active object.
            holder.SetActive(false);
            PoseBridgeConnection connection = holder.AddComponent<PoseBridgeConnection>();
            connection.Endpoint = _endpoint;
            holder.SetActive(true);
        }

        private void MakeBody()
        {
            GameObject body = new GameObject("Walker");
            body.SetActive(false);
            // Hips at their height above the floor.
            body.transform.position = new Vector3(0, 0.95f, 0);
            RecordedPoseSource source = body.AddComponent<RecordedPoseSource>();
            source.Play(new PoseRecording(_clip.bytes));
            PoseBridgeAvatar avatar = body.AddComponent<PoseBridgeAvatar>();
            avatar.AvatarId = "walker";
            avatar.Source = source;
            body.AddComponent<FutureGhosts>();
            body.AddComponent<AlertPrinter>();
            body.SetActive(true);
        }
    }
}
