"""What Discord shows of the commands in members' own languages; what stands in no row keeps its English words."""

from typing import Final

import discord
from discord import Locale, app_commands

LOCALES: Final = (
    Locale.german,
    Locale.french,
    Locale.spain_spanish,
    Locale.japanese,
    Locale.brazil_portuguese,
)

NAMES: Final[dict[str, tuple[str, str, str, str, str]]] = {
    "imagine": ("bild", "imaginer", "imaginar", "描く", "imaginar"),
    "queue": ("warteschlange", "file", "cola", "待ち行列", "fila"),
    "cancel": ("abbrechen", "annuler", "cancelar", "中止", "cancelar"),
    "history": ("verlauf", "historique", "historial", "履歴", "histórico"),
    "help": ("hilfe", "aide", "ayuda", "ヘルプ", "ajuda"),
    "privacy": ("datenschutz", "confidentialité", "privacidad", "プライバシー", "privacidade"),
    "settings": ("einstellungen", "réglages", "ajustes", "設定", "configurações"),
    "prompt": ("beschreibung", "description", "descripción", "内容", "descrição"),
    "negative": ("ohne", "sans", "sin", "除外", "sem"),
    "aspect": ("format", "format", "formato", "縦横比", "formato"),
    "count": ("anzahl", "nombre", "cantidad", "枚数", "quantidade"),
    "seed": ("startwert", "graine", "semilla", "シード", "semente"),
    "steps": ("schritte", "étapes", "pasos", "ステップ", "passos"),
    "guidance": ("führung", "guidage", "guía", "忠実度", "orientação"),
    "scheduler": ("verfahren", "échantillonneur", "muestreador", "サンプラー", "amostrador"),
    "lora": ("lora", "lora", "lora", "lora", "lora"),
    "private": ("privat", "privé", "privado", "非公開", "privado"),
    "advanced": ("mehr", "avancé", "avanzado", "詳細", "avançado"),
    "job": ("auftrag", "tâche", "trabajo", "ジョブ", "tarefa"),
    "search": ("suche", "recherche", "buscar", "検索", "busca"),
    "before": ("vor", "avant", "antes", "以前", "antes"),
    "after": ("nach", "après", "después", "以降", "depois"),
    "command": ("befehl", "commande", "comando", "コマンド", "comando"),
    "what": ("was", "quoi", "qué", "操作", "ação"),
    "show": ("zeige", "montrer", "mostrar", "表示", "mostrar"),
    "default-model": ("standardmodell", "modèle-par-défaut", "modelo-inicial", "標準モデル", "modelo-padrão"),
    "max-steps": ("höchstens-schritte", "étapes-max", "pasos-máximos", "最大ステップ", "passos-máximos"),
    "max-size": ("größte-seite", "taille-max", "tamaño-máximo", "最大サイズ", "tamanho-máximo"),
    "mature": ("für-erwachsene", "pour-adultes", "para-adultos", "成人向け", "para-adultos"),
    "private-by-default": ("sonst-privat", "privé-par-défaut", "privado-siempre", "標準で非公開", "privado-por-padrão"),
    "allow-channel": ("kanal-erlauben", "autoriser-salon", "permitir-canal", "チャンネル許可", "permitir-canal"),
    "forget-channel": ("kanal-streichen", "retirer-salon", "quitar-canal", "チャンネル解除", "remover-canal"),
    "allow-role": ("rolle-erlauben", "autoriser-rôle", "permitir-rol", "ロール許可", "permitir-cargo"),
    "forget-role": ("rolle-streichen", "retirer-rôle", "quitar-rol", "ロール解除", "remover-cargo"),
    "name-admin": ("admin-ernennen", "nommer-admin", "nombrar-admin", "管理者指名", "nomear-admin"),
    "forget-admin": ("admin-streichen", "retirer-admin", "quitar-admin", "管理者解除", "remover-admin"),
    "Use as start image": (
        "Als Anfangsbild", "Image de départ", "Imagen inicial", "開始画像にする", "Imagem inicial",
    ),
    "Use as control": ("Als Vorlage", "Image de contrôle", "Imagen de control", "制御に使う", "Imagem de controle"),
    "Picture info": ("Bildinfo", "Infos sur l’image", "Datos de la imagen", "画像の情報", "Dados da imagem"),
}  # fmt: skip
"""German, French, Spanish, Japanese and Brazilian Portuguese of each name, in the order of LOCALES."""

SENTENCES: Final[dict[str, tuple[str, str, str, str, str]]] = {
    "Make pictures from words": (
        "Macht Bilder aus Worten", "Crée des images à partir de mots", "Crea imágenes a partir de palabras",
        "言葉から画像を作る", "Cria imagens a partir de palavras",
    ),
    "What the picture shows": (
        "Was das Bild zeigt", "Ce que l’image montre", "Lo que muestra la imagen", "画像に描くもの",
        "O que a imagem mostra",
    ),
    "What it must not show": (
        "Was es nicht zeigen soll", "Ce qu’elle ne doit pas montrer", "Lo que no debe mostrar", "描かないもの",
        "O que ela não deve mostrar",
    ),
    "Width to height": (
        "Breite zu Höhe", "Largeur sur hauteur", "Ancho por alto",
        "幅と高さの比", "Largura por altura",
    ),
    "How many pictures": ("Wie viele Bilder", "Combien d’images", "Cuántas imágenes", "画像の枚数", "Quantas imagens"),
    "The same seed repeats the picture": (
        "Derselbe Startwert wiederholt das Bild", "La même graine redonne la même image",
        "La misma semilla repite la imagen", "同じシードなら同じ画像になる", "A mesma semente repete a imagem",
    ),
    "Denoising steps": (
        "Schritte des Entrauschens", "Étapes de débruitage", "Pasos de eliminación de ruido", "ノイズ除去のステップ数",
        "Passos de remoção de ruído",
    ),
    "How strictly to follow the prompt": (
        "Wie streng es der Beschreibung folgt", "Fidélité à la description", "Fidelidad a la descripción",
        "内容にどれだけ従うか", "Fidelidade à descrição",
    ),
    "The sampler": ("Das Abtastverfahren", "L’échantillonneur", "El muestreador", "サンプラー", "O amostrador"),
    "The server's LoRAs, such as crayon:0.8": (
        "LoRAs dieses Servers, etwa crayon:0.8", "LoRA de ce serveur, par exemple crayon:0.8",
        "LoRA de este servidor, por ejemplo crayon:0.8", "このサーバーのLoRA。例: crayon:0.8",
        "LoRAs deste servidor, por exemplo crayon:0.8",
    ),
    "For your eyes only": (
        "Nur für deine Augen", "Pour vos yeux seulement", "Solo para tus ojos", "自分だけに表示", "Só para você",
    ),
    "Opens a form with more options": (
        "Öffnet ein Formular mit mehr Möglichkeiten", "Ouvre un formulaire avec plus d’options",
        "Abre un formulario con más opciones", "その他の設定のフォームを開く", "Abre um formulário com mais opções",
    ),
    "What waits and renders": (
        "Was wartet und entsteht", "Ce qui attend et se crée", "Lo que espera y se crea", "待機中と作成中のもの",
        "O que espera e está sendo criado",
    ),
    "Stop a picture that waits or renders": (
        "Hält ein wartendes oder entstehendes Bild an", "Arrête une image en attente ou en cours",
        "Detiene una imagen en espera o en curso", "待機中か作成中の画像を中止する",
        "Para uma imagem em espera ou em criação",
    ),
    "Its number; without one, all of yours": (
        "Seine Nummer; ohne eine alle deine", "Son numéro; sans numéro, toutes les vôtres",
        "Su número; sin número, todas las tuyas", "番号。なければ自分のすべて",
        "O número dela; sem número, todas as suas",
    ),
    "What you asked for before": (
        "Worum du früher gebeten hast", "Ce que vous avez demandé avant", "Lo que pediste antes",
        "これまでに頼んだもの",
        "O que você pediu antes",
    ),
    "Words of the prompt": (
        "Worte der Beschreibung", "Mots de la description", "Palabras de la descripción", "内容に含まれる言葉",
        "Palavras da descrição",
    ),
    "Only jobs before this number": (
        "Nur Aufträge vor dieser Nummer", "Seulement les tâches avant ce numéro",
        "Solo trabajos anteriores a este número", "この番号より前のジョブだけ", "Só tarefas antes deste número",
    ),
    "Only jobs after this number": (
        "Nur Aufträge nach dieser Nummer", "Seulement les tâches après ce numéro",
        "Solo trabajos posteriores a este número", "この番号より後のジョブだけ", "Só tarefas depois deste número",
    ),
    "What you can do here": (
        "Was du hier tun kannst", "Ce que vous pouvez faire ici", "Lo que puedes hacer aquí", "ここでできること",
        "O que você pode fazer aqui",
    ),
    "The command to explain": (
        "Der Befehl, der erklärt wird", "La commande à expliquer", "El comando que se explica", "説明するコマンド",
        "O comando a explicar",
    ),
    "See, export or delete what is kept of you": (
        "Sieh, lade oder lösche, was von dir bleibt", "Voir, exporter ou effacer ce qui est gardé de vous",
        "Ver, exportar o borrar lo que se guarda de ti", "保存された自分のデータを見る、書き出す、消す",
        "Ver, exportar ou apagar o que é guardado de você",
    ),
    "What to do; nothing explains": (
        "Was zu tun ist; nichts erklärt es", "Que faire; vide pour une explication",
        "Qué hacer; vacío para una explicación", "すること。空なら説明", "O que fazer; vazio para uma explicação",
    ),
    "What the admins of this server decide": (
        "Was die Admins dieses Servers bestimmen", "Ce que décident les admins de ce serveur",
        "Lo que deciden los admins de este servidor", "このサーバーの管理者が決めること",
        "O que os admins deste servidor decidem",
    ),
    "The settings, or the log": (
        "Die Einstellungen oder das Protokoll", "Les réglages ou le journal", "Los ajustes o el registro",
        "設定または記録", "As configurações ou o registro",
    ),
    "The model for who names none": (
        "Das Modell für alle, die keines nennen", "Le modèle de qui n’en nomme pas",
        "El modelo de quien no nombra ninguno", "モデルを選ばない人に使うモデル", "O modelo de quem não escolhe nenhum",
    ),
    "Most denoising steps": (
        "Höchstzahl der Schritte", "Nombre maximal d’étapes", "Número máximo de pasos", "ステップ数の上限",
        "Número máximo de passos",
    ),
    "Side of the largest square": (
        "Seite des größten Quadrats", "Côté du plus grand carré", "Lado del cuadrado más grande", "最大の正方形の一辺",
        "Lado do maior quadrado",
    ),
    "Answer the asker alone": (
        "Antworte nur dem, der fragt", "Répondre seulement à qui demande", "Responder solo a quien pregunta",
        "頼んだ人だけに答える", "Responder só a quem pede",
    ),
    "Make pictures only there": (
        "Macht nur dort Bilder", "Créer des images seulement là", "Crear imágenes solo ahí", "そこでだけ画像を作る",
        "Criar imagens só ali",
    ),
    "Take a channel off the list": (
        "Streicht einen Kanal von der Liste", "Retire un salon de la liste", "Quita un canal de la lista",
        "チャンネルを一覧から外す", "Tira um canal da lista",
    ),
    "The command that a role is for": (
        "Der Befehl, für den eine Rolle gilt", "La commande visée par le rôle", "El comando al que se aplica el rol",
        "ロールを求めるコマンド", "O comando a que o cargo se aplica",
    ),
    "Only these roles may use it": (
        "Nur diese Rollen dürfen ihn benutzen", "Seuls ces rôles peuvent l’utiliser", "Solo estos roles pueden usarlo",
        "このロールだけが使える", "Só estes cargos podem usá-lo",
    ),
    "Take a role off the list": (
        "Streicht eine Rolle von der Liste", "Retire un rôle de la liste", "Quita un rol de la lista",
        "ロールを一覧から外す", "Tira um cargo da lista",
    ),
    "Let this member decide here too": (
        "Lässt dieses Mitglied mitbestimmen", "Laisse ce membre décider aussi", "Deja decidir también a este miembro",
        "このメンバーにも決めさせる", "Deixa este membro decidir também",
    ),
    "Let them decide no longer": (
        "Lässt es nicht mehr mitbestimmen", "Ne le laisse plus décider", "Ya no le deja decidir",
        "もう決めさせない", "Não o deixa mais decidir",
    ),
}  # fmt: skip
"""The same languages of each description."""


class Translations(app_commands.Translator):
    """Looks words up; payloads keep the English ones, so nothing else knows of languages."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,  # noqa: ARG002 - discord.py's signature
    ) -> str | None:
        """The words in that language, or None for the English ones."""
        if locale is Locale.latin_american_spanish:
            locale = Locale.spain_spanish
        row = NAMES.get(string.message) or SENTENCES.get(string.message)
        return row[LOCALES.index(locale)] if row is not None and locale in LOCALES else None
