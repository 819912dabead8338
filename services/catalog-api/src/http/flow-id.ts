/** A request's flow id as Zalando rule 233 allows it: base64 and base64url characters, at most 128. */
const flowIdForm = /^[a-zA-Z0-9/+_\-=]{1,128}$/;

/** Whether the text may be taken over as a flow id: it is echoed in a header, logged and stored with the event. */
export function isFlowId(text: string): boolean {
  return flowIdForm.test(text);
}
