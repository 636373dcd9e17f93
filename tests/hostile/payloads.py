"""What somebody would write to have it run in the browser, or the terminal, of who reads a page.

Every payload, if it is executed, sets ``document.title = "OWNED"`` or fetches a page from
127.0.0.1, so that a test which opens a page can tell. The one list: the submissions of
``pages.py`` put each into sources, outputs, messages, names and written answers.
"""

from __future__ import annotations

import base64

PORT = 47113  # where a test may listen; nothing is to ask there
OWNED = "document.title='OWNED'"


def beacon(port: int = PORT, path: str = "beacon") -> str:
    """An address that nothing on a page may ask for."""
    return f"http://127.0.0.1:{port}/{path}"


def markup(port: int = PORT) -> dict[str, str]:
    """Name -> markup, script and text that becomes one of them on its way to the page."""
    url = beacon(port)
    as_base64 = base64.b64encode(f"<script>top.{OWNED}</script>".encode()).decode()
    return {
        "script": f"<script>{OWNED}</script>",
        "script-closes-the-last": f"</script><script>{OWNED}</script>",
        "script-from-elsewhere": f'<script src="{url}.js"></script>',
        "script-module": f'<script type="module">{OWNED}</script>',
        "script-in-odd-case": f"<ScRiPt\n>{OWNED}</sCrIpT >",
        "script-nested": f"<scr<script>ipt>{OWNED}</scr</script>ipt>",
        "out-of-pre": f"</code></pre><script>{OWNED}</script><pre><code>",
        "out-of-title": f"</title><script>{OWNED}</script>",
        "out-of-style": f"</style><script>{OWNED}</script>",
        "out-of-comment": f"--><script>{OWNED}</script><!--",
        "out-of-textarea": f"</textarea><script>{OWNED}</script>",
        "out-of-double-quotes": f'"><img src=x onerror="{OWNED}">',
        "out-of-single-quotes": f'\'><img src=x onerror="{OWNED}">',
        "into-an-attribute": f'" autofocus onfocus="{OWNED}" x="',
        "image-onerror": f'<img src=x onerror="{OWNED}">',
        "image-from-elsewhere": f'<img src="{url}.png">',
        "image-srcset": f'<img src="data:," srcset="{url}.png 1x">',
        "picture": f'<picture><source srcset="{url}.png"><img></picture>',
        "body-onload": f'<body onload="{OWNED}">',
        "details-ontoggle": f'<details open ontoggle="{OWNED}"><summary>more</summary></details>',
        "input-onfocus": f'<input autofocus onfocus="{OWNED}">',
        "style-animation": "<style>@keyframes k{}p{animation:k 1s}</style>"
        f'<p style="animation:k 1s" onanimationstart="{OWNED}">',
        "marquee": f'<marquee onstart="{OWNED}">x</marquee>',
        "video": f'<video src="{url}.mp4" autoplay></video>',
        "video-onerror": f'<video><source onerror="{OWNED}"></video>',
        "audio": f'<audio src="{url}.mp3" autoplay></audio>',
        "svg-onload": f'<svg onload="{OWNED}"></svg>',
        "svg-script": f"<svg><script>{OWNED}</script></svg>",
        "svg-image": f'<svg><image href="{url}.svg"/></svg>',
        "svg-use": f'<svg><use href="data:image/svg+xml;base64,{as_base64}#x"/></svg>',
        "svg-foreign-object": '<svg><foreignObject><iframe srcdoc="<script>top.'
        f'{OWNED}</script>"></iframe></foreignObject></svg>',
        "svg-animate": f'<svg><animate onbegin="{OWNED}" attributeName="x" dur="1s"/></svg>',
        "svg-style-mutation": f'<svg></p><style><a id="</style><img src=x onerror={OWNED}>">',
        "math-mutation": "<math><mtext><table><mglyph><style><!--</style>"
        f'<img title="--&gt;&lt;img src=1 onerror={OWNED}&gt;">',
        "noscript-mutation": f'<noscript><p title="</noscript><img src=x onerror={OWNED}>">',
        "iframe-srcdoc": f'<iframe srcdoc="<script>top.{OWNED}</script>"></iframe>',
        "iframe-javascript": f'<iframe src="javascript:top.{OWNED}"></iframe>',
        "iframe-data": f'<iframe src="data:text/html;base64,{as_base64}"></iframe>',
        "iframe-from-elsewhere": f'<iframe src="{url}.html"></iframe>',
        "object": f'<object data="data:text/html;base64,{as_base64}"></object>',
        "object-from-elsewhere": f'<object data="{url}.html"></object>',
        "embed": f'<embed src="{url}.html">',
        "link-stylesheet": f'<link rel="stylesheet" href="{url}.css">',
        "link-prefetch": f'<link rel="prefetch" href="{url}">',
        "link-dns": f'<link rel="preconnect" href="{url}">',
        "meta-refresh": f'<meta http-equiv="refresh" content="0;url={url}">',
        "base": f'<base href="{url}/">',
        "form": f'<form action="{url}" id="f"><input type="submit" formaction="javascript:{OWNED}"'
        ' style="position:fixed;inset:0"></form>',
        "style-import": f'<style>@import url("{url}.css");</style>',
        "style-background": f'<p style="background:url({url}.png)">x</p>',
        "style-covers-the-page": '<div style="position:fixed;inset:0;z-index:9999;background:#fff">'
        "40 of 36 points</div>",
        "style-hides-the-page": "<style>body > * {display: none !important}</style>",
        "link-javascript": f'<a id="j" href="javascript:{OWNED}" '
        'style="position:fixed;inset:0">x</a>',
        "link-javascript-spelt-oddly": f'<a href="jav&#x09;ascript:{OWNED}">x</a>',
        "link-data": f'<a href="data:text/html;base64,{as_base64}">x</a>',
        "link-ping": f'<a href="#" ping="{url}">x</a>',
        "markdown-link": f"[x](javascript:{OWNED})",
        "markdown-link-spelt-oddly": f"[x](jav&#x61;script:{OWNED})",
        "markdown-image": f"![x]({url}.png)",
        "markdown-image-onerror": f'![x](x "onerror={OWNED}")',
        "markdown-reference": f"[x]\n\n[x]: javascript:{OWNED}",
        "markdown-autolink": f"<javascript:{OWNED}>",
        "markdown-html-block": f'para\n\n<div markdown=1 onclick="{OWNED}">x</div>\n\n'
        f"<img src=x onerror={OWNED}>",
        "markdown-code-fence": f"```html\n</code></pre><img src=x onerror={OWNED}>\n```",
        "markdown-mermaid": f'```mermaid\ngraph TD\nA["<img src=x onerror={OWNED}>"]\n'
        f'click A href "javascript:{OWNED}"\n```',
        "latex-href": rf"$\href{{javascript:{OWNED}}}{{x}}$",
        "latex-html": rf"$$\style{{background:url({url}.png)}}{{x}}$$",
        "latex-unicode": rf"$\unicode{{<img src=x onerror={OWNED}>}}$",
        "latex-text": rf"$\text{{<img src=x onerror={OWNED}>}}$",
        "latex-require": rf"$\require{{html}}\cssId{{x}}{{\class{{x}}{{y}}}}\href{{{url}}}{{x}}$",
        "latex-endless": r"$\def\x{\x\x}\x$",
        "template-jinja": f"{{{{ '<script>{OWNED}</script>' }}}}{{% raw %}}",
        "template-angular": f'{{{{constructor.constructor("{OWNED}")()}}}}',
        "template-lodash": f"<% print('<script>{OWNED}</script>') %>",
        "entity": f"&lt;script&gt;{OWNED}&lt;/script&gt;",
        "entity-twice": f"&amp;lt;img src=x onerror={OWNED}&amp;gt;",
        "utf-7": f"+ADw-script+AD4-{OWNED}+ADw-/script+AD4-",
        "full-width": f"＜script＞{OWNED}＜/script＞",
        "null-byte": f"<scr\0ipt>{OWNED}</scr\0ipt>",
        "line-separators": f"\u2028{OWNED}\u2029",
        "template-element": f"<template><script>{OWNED}</script></template>",
        "select-mutation": f"<select><template><style><img src=x onerror={OWNED}></style></select>",
        "require-js": f"<script>require(['{url}'])</script>",
        "dom-clobbering": "<form id=document><input name=title></form><img name=getElementById>",
    }


# What a terminal would obey: a new title, a cleared screen, text in the clipboard, a link, a file
# written by a report of the cursor; and what moves text to where it does not belong.
TERMINAL = {
    "title": "\x1b]0;OWNED\x07",
    "clear": "\x1b[2J\x1b[H40 of 36 points",
    "clipboard": "\x1b]52;c;T1dORUQ=\x07",
    "link": "\x1b]8;;http://127.0.0.1/\x07solution\x1b]8;;\x07",
    "colour": "\x1b[32m✓ passed\x1b[0m\x1b[8mhidden",
    "cursor-up": "\x1b[5A\x1b[2K40 of 36 points",
    "8-bit": "\x9b31m\x9d0;OWNED\x9c",
    "device-report": '\x1b[6n\x1bP$q"p\x1b\\',
    "alternate-screen": "\x1b[?1049h",
    "backspaces": "0 points" + "\b" * 8 + "40",
    "carriage-return": "0 points\r40 points",
    "right-to-left": "\u202e stniop 04 \u202c\u2066",
    "combining": "z" + "\u0301" * 300,
    "rich-markup": "[bold green]40[/] [link=http://127.0.0.1/]x[/link] [/nothing]",
    "bell-and-null": "\a\0",
}

# Those that a file, a folder or a student may be called by: no slash, no null, at most 255 bytes.
NAMES = {
    "script": f"<script>{OWNED}<script>",
    "image": f"<img src=x onerror={OWNED}>",
    "svg": f"<svg onload={OWNED}>",
    "out-of-double-quotes": f'"><img src=x onerror={OWNED}>',
    "into-an-attribute": f'" onmouseover="{OWNED}" autofocus onfocus="{OWNED}" x="',
    "out-of-single-quotes": f"'><img src=x onerror={OWNED}>",
    "javascript": f"javascript:{OWNED}",
    "template": f"{{{{constructor.constructor('{OWNED}')()}}}}",
    "escape": "\x1b]0;OWNED\x07\x1b[2J",
    "newline": "a\nb",
    "rich": "[red]x[/]",
    "percent": "%2e%2e%2f%3Cscript%3E",
}
